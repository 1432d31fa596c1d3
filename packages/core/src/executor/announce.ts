/**
 * Tells the host what happened to a connection, by address and never by value.
 */
import { connectionAddress, type ConnectionRef } from "../connection/ConnectionRef.ts"
import type { Identity } from "../identity/Identity.ts"
import type { VisibleConnection } from "./agents/access.ts"
import type { EventBody, LentConnection } from "./ExecutorEvent.ts"
import type { Resources } from "./Resources.ts"

/** An event about one connection, before it names the connection. */
export type RowEvent = EventBody extends infer Event
  ? Event extends EventBody & { readonly connection: string }
    ? Omit<Event, "connection" | "integration" | "owner">
    : never
  : never

/** Tells the host what happened to a connection. */
export const announce = (resources: Resources, identity: Identity, ref: ConnectionRef, event: RowEvent): void => {
  if (resources.hasListener) resources.emit(identity, eventOf(ref, event))
}

/** Whose a connection is that is shared with whoever acts, and what its owner calls it; nothing of one's own. */
export const lentBy = ({ lender }: Pick<VisibleConnection, "lender">): LentConnection =>
  lender === undefined ? {} : { sharedBy: lender.row.subject, sharedConnection: connectionAddress(lender.row) }

/** The event, with the connection's name. */
export const eventOf = (ref: ConnectionRef, event: RowEvent): EventBody => ({
  ...event,
  connection: connectionAddress(ref),
  integration: ref.integration,
  owner: ref.owner,
})
