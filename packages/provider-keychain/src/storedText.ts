/**
 * Secrets as the text a keychain stores: themselves, unless a keychain could alter them.
 *
 * Ordinary secrets are stored as they are, so that other programs can read them. Empty text, which some keychains take for
 * none, and text that is not well-formed UTF-16, which none can hold, are stored as base64 behind a prefix.
 */

/** What to store for a secret. */
export const storedTextOf = (secret: string): string =>
  secret !== "" && secret.isWellFormed() && !secret.startsWith(prefix)
    ? secret
    : prefix + Buffer.from(secret, "utf16le").toString("base64")

/** The secret of a stored text. */
export const secretOfStoredText = (stored: string): string =>
  stored.startsWith(prefix) ? Buffer.from(stored.slice(prefix.length), "base64").toString("utf16le") : stored

const prefix = "keyward:utf-16:"
