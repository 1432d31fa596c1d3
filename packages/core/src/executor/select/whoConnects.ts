/**
 * Who connects an account, and where the host sends them.
 *
 * A link to an authorization server connects whichever account its visitor is logged in to. So a call is answered with one only for the
 * acting user's own connection, and for the organisation's only where the organisation itself calls: an executor of nobody in particular
 * that is no agent's. Everybody else is told what is needed, and where the host wants them to go.
 */
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { Identity, Owner } from "../../identity/Identity.ts"
import type { IdentityMode } from "../../identity/IdentityMode.ts"
import type { Resources } from "../Resources.ts"

/** Whether whoever calls may connect an owner's account by a link; see the file's header. Under `admin` only an administrator does. */
export const isTheirsToConnect = ({ subject, agent }: Identity, owner: Owner, mode: IdentityMode): boolean =>
  owner === "user" || (subject === null && agent === undefined && mode !== "admin")

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
