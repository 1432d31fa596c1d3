/**
 * Whose account the calls of an integration run as: the rule that an integration carries and every call is held to.
 *
 * Registered with the integration, changed by an administrator, and read by executor/select/selectAccount.ts.
 */

import type { Owner } from "./Identity.ts"

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

/**
 * Whose connection a call runs as under a mode, given who acts and what the call itself asks for; or why it cannot run.
 *
 * `pinned`: the mode leaves no choice and the call asks for the other. `subject_missing`: a subject's own is wanted and nobody acts.
 */
export const ownerOfCall = (
  mode: IdentityMode,
  subject: string | null,
  asked: Owner | undefined,
): Owner | "pinned" | "subject_missing" => {
  const pinned = pinnedOwner(mode)
  if (pinned !== undefined && asked !== undefined && asked !== pinned) return "pinned"
  const owner = pinned ?? asked ?? (subject === null ? "org" : "user")
  return owner === "user" && subject === null ? "subject_missing" : owner
}

/** The owner that a mode leaves no choice about. */
export const pinnedOwner = (mode: IdentityMode): Owner | undefined =>
  mode === "either" ? undefined : mode === "per_user" ? "user" : "org"

/** Whether calls may run as connections of an owner at all. */
export const modeAllows = (mode: IdentityMode, owner: Owner): boolean => (pinnedOwner(mode) ?? owner) === owner

/** Whether a value is a mode. */
export const isIdentityMode = (value: unknown): value is IdentityMode =>
  (identityModes as ReadonlyArray<unknown>).includes(value)
