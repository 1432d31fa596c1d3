/**
 * Whose account the calls of an integration run as: the rule that an integration carries and every call is held to.
 *
 * Registered with the integration, changed by an administrator, and read by executor/selectAccount.ts.
 */

/**
 * `admin`: an administrator connected it once; one stored organisation credential serves every call and who calls is ignored.
 * `shared`: the organisation's connection. `per_user`: the acting subject's own. `either`: the subject's own when a subject acts,
 * else the organisation's; a call may say which.
 */
export type IdentityMode = "admin" | "shared" | "per_user" | "either"

/** Every mode, in the order of the glossary. */
export const identityModes: ReadonlyArray<IdentityMode> = ["admin", "shared", "per_user", "either"]

/** The mode of an integration that was registered without one. */
export const defaultIdentityMode: IdentityMode = "either"

/** Whether a value is a mode. */
export const isIdentityMode = (value: unknown): value is IdentityMode =>
  (identityModes as ReadonlyArray<unknown>).includes(value)
