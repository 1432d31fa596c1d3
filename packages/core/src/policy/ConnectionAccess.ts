/**
 * What a caller may do with one connection, and the decisions over it: pure, and quick enough for every call.
 *
 * Rights are intersected along the chain of who hands them on: an agent, the agents above it. Each link needs a right of its own; a
 * right may itself rest on another, as an agent's grant rests on what was shared with the user who gave it.
 */
import { type Access, type AccessNeed, type AccessScope, concerns, isWithin, permits } from "./AccessScope.ts"

/** Scopes all of which have to permit what is needed. */
export type AccessRight = ReadonlyArray<AccessScope>

/** For every link of the chain its rights, one of which has to permit what is needed. Never empty. */
export type ConnectionAccess = ReadonlyArray<ReadonlyArray<AccessRight>>

/**
 * `allowed`: go on. `denied`: the caller knows the tool and may be told that reading or writing is missing. `hidden`: for this caller
 * there is no such tool.
 */
export type AccessDecision = "allowed" | "denied" | "hidden"

/** Whether a caller may use a tool of a connection, or send a request of their own; `undefined` is a caller without limits. */
export const mayUse = (access: ConnectionAccess | undefined, need: AccessNeed): AccessDecision => {
  if (access === undefined) return "allowed"
  let isAllowed = true
  for (const rights of access) {
    if (rights.some((right) => right.every((scope) => permits(scope, need)))) continue
    if (!rights.some((right) => right.every((scope) => concerns(scope, need.tool)))) return "hidden"
    isAllowed = false
  }
  return isAllowed ? "allowed" : "denied"
}

/** For what a caller may use a connection at all. */
export const accessInForce = (access: ConnectionAccess): ReadonlyArray<Access> =>
  (["read", "write"] as const).filter((one) =>
    access.every((rights) => rights.some((right) => right.every((scope) => scope.access.includes(one)))),
  )

/** What of a scope somebody does not have themselves, in words; `undefined` when they may hand all of it on. */
export const excessOf = (access: ConnectionAccess, scope: AccessScope): string | undefined => {
  const { expiresAt } = scope
  for (const one of scope.access) {
    for (const tool of scope.tools ?? [null]) {
      const part = { access: one, tool, expiresAt }
      if (access.every((rights) => rights.some((right) => right.every((own) => isWithin(part, own))))) continue
      const forever = { ...part, expiresAt: 0 }
      const isTooLong = access.every((rights) => rights.some((right) => right.every((own) => isWithin(forever, own))))
      const what = tool === null ? one : `${one} of ${tool}`
      if (!isTooLong) return tool === null && accessInForce(access).includes(one) ? `${one} of all tools` : what
      return expiresAt === null ? `${what} without an end` : `${what} until ${new Date(expiresAt).toISOString()}`
    }
  }
  return undefined
}
