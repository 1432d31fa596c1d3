/** Keys that seal the secrets of tests. */
export const key = Buffer.alloc(32, 7)
export const otherKey = Buffer.alloc(32, 8).toString("base64url")
