/**
 * Writes to one connection happen one at a time within a process; across processes its row's version decides.
 */
import type { ConnectionKey } from "../../connection/ConnectionRef.ts"

/** The name under which writes to one connection happen one at a time. */
export const lockOf = (key: ConnectionKey): string =>
  JSON.stringify(["connection", key.tenant, key.subject, key.integration, key.owner, key.name])
