/**
 * Who connects an account, or connects it again, and where the host sends them.
 *
 * A link to an authorization server connects whichever account its visitor is logged in to, and what a call answers may be read by a
 * model. So an agent is never handed one for the organisation's account, and a user not for its first connection, which would make
 * their own account everybody's. Who gets no link is told what is needed, and where the host wants them to go.
 */
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { Identity, Owner } from "../../identity/Identity.ts"
import type { IdentityMode } from "../../identity/IdentityMode.ts"
import type { Resources } from "../Resources.ts"

/** Whether whoever calls may connect an owner's account for the first time. Under `admin` only an administrator does. */
export const isTheirsToConnect = ({ subject, agent }: Identity, owner: Owner, mode: IdentityMode): boolean =>
  owner === "user" || (subject === null && agent === undefined && mode !== "admin")

/**
 * Whether whoever calls may connect an owner's account again, once its grant has ended or lacks a scope. The flow is theirs alone to
 * finish, through the host's own callback. Under `admin` a user's identity says nothing.
 */
export const isTheirsToRenew = ({ subject, agent }: Identity, owner: Owner, mode: IdentityMode): boolean =>
  owner === "user" || (agent === undefined && (subject === null || mode !== "admin"))

/** The host's own page for it. A host whose function fails has no place to send people to. */
export const connectUrlOf = (
  { connectUrl }: Resources,
  { tenant, subject }: Identity,
  { owner, integration, name }: ConnectionRef,
): string | undefined => {
  if (typeof connectUrl !== "function") return connectUrl
  try {
    const url: unknown = connectUrl({ tenant, subject, integration, owner, name })
    return typeof url === "string" && url !== "" ? url : undefined
  } catch {
    return undefined
  }
}
