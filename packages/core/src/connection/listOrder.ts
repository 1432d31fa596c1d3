/**
 * The order of lists, by which a page says where the next one begins: code unit by code unit, the same in every store.
 */
import type { ConnectionKey, ConnectionRef } from "./ConnectionRef.ts"

/** A place in a list of connections, whether or not there is one. */
export type RefOrder = Pick<ConnectionRef, "integration" | "owner" | "name">

/** The order of texts: of ids, slugs and names. For `sort`; 0 for equal texts only. */
export const compareTexts = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)

/** The order of lists of connections: by integration, owner and name. */
export const compareRefs = (one: RefOrder, other: RefOrder): number =>
  compareTexts(one.integration, other.integration) ||
  compareTexts(one.owner, other.owner) ||
  compareTexts(one.name, other.name)

/** The order of what is kept of connections, such as grants: by integration, name and the user they are of. */
export const compareKeys = (one: ConnectionKey, other: ConnectionKey): number =>
  compareTexts(one.integration, other.integration) ||
  compareTexts(one.name, other.name) ||
  compareTexts(one.subject, other.subject)
