/**
 * A connection that an OAuth flow made: what tells it from one with a static credential.
 */
import type { ConnectionRow } from "../../connection/Connection.ts"
import type { ConnectionGrant } from "../../connection/ConnectionGrant.ts"
import type { SelectedConnection } from "../select/ConnectionSelector.ts"

/** A row with a grant. */
export type GrantedRow = ConnectionRow & { readonly grant: ConnectionGrant }

/** A selected connection that has a grant. */
export interface GrantedConnection extends SelectedConnection {
  readonly row: GrantedRow
}

/** Whether a row was made by an OAuth flow. */
export const isGrantedRow = (row: ConnectionRow): row is GrantedRow => row.grant !== null

/** Whether a connection was made by an OAuth flow. */
export const isGranted = (selected: SelectedConnection): selected is GrantedConnection => isGrantedRow(selected.row)
