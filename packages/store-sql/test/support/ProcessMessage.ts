/** What the tests tell a process of their own. */

/** Which database it opens, and whose account it calls with. */
export type ProcessJob = (
  { readonly filename: string } | { readonly connectionString: string; readonly schema: string }
) & {
  readonly leaseMs?: number | undefined
  readonly maxStaleMs?: number | undefined
  /** The authorization server's `host`, and the file of secrets. */
  readonly account?: { readonly host: string; readonly vault: string } | undefined
}

/** See `otherProcess.ts`. */
export type ProcessMessage =
  | { readonly type: "ready" | "hold" | "isHeld" | "keep" | "version" }
  | { readonly type: "shorten"; readonly forMs: number }
  | { readonly type: "put"; readonly version: number }
  | { readonly type: "call"; readonly times: number }
