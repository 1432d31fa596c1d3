/**
 * A saved credential for one integration: the row that is stored, and the record that a host sees.
 *
 * Neither holds a secret: the row points to items in a credential provider.
 */
import type { Owner } from "../identity/Identity.ts"
import type { ConnectionGrant } from "./ConnectionGrant.ts"
import { connectionAddress, type ConnectionKey } from "./ConnectionRef.ts"

/** Whether a connection may be used. */
export type ConnectionStatus = "active" | "expired" | "disabled"

/** A connection as hosts see it. */
export interface Connection {
  readonly owner: Owner
  readonly name: string
  readonly integration: string
  /** The slug of the auth template that its credential fills. */
  readonly template: string
  /** The key of the provider that holds its credential. Routing only. */
  readonly provider: string
  /** `tools.<integration>.<owner>.<name>`. */
  readonly address: string
  /** Which account this is, for people. */
  readonly identityLabel: string | null
  /** What it is for, for people and agents. */
  readonly description: string | null
  /** Epoch milliseconds at which an OAuth access token expires; `null` for static credentials. */
  readonly expiresAt: number | null
  readonly oauthClient: string | null
  readonly oauthClientOwner: Owner | null
  /** Scopes granted, separated by spaces. */
  readonly oauthScope: string | null
  readonly status: ConnectionStatus
  /** A machine word for a status other than `active`, such as `disabled_by_host` or `origins_changed`. */
  readonly statusReason: string | null
  /** What this caller may do with it, where that is limited: `read`, `write` or both. Absent: everything. */
  readonly access?: ReadonlyArray<"read" | "write">
  /** The user who shares it with this caller; absent for an own one and the organisation's. */
  readonly sharedBy?: string
}

/** A connection as stores keep it. */
export interface ConnectionRow extends ConnectionKey {
  /** Random; another one when a connection is removed and created again. What grants and shares are tied to. */
  readonly incarnation: string
  readonly template: string
  readonly provider: string
  /** `minted`: the items belong to the connection and go with it. `external`: they belong to somebody else. */
  readonly origin: "minted" | "external"
  /** Provider item ids by variable, as pairs. */
  readonly items: ReadonlyArray<readonly [variable: string, id: string]>
  /** The integration's origins, joined by spaces, that this connection was created or confirmed for. */
  readonly confirmedOrigins: string
  readonly identityLabel: string | null
  readonly description: string | null
  readonly expiresAt: number | null
  readonly oauthClient: string | null
  readonly oauthClientOwner: Owner | null
  readonly oauthScope: string | null
  /** What an OAuth flow obtained; `null` for static credentials. */
  readonly grant: ConnectionGrant | null
  readonly status: ConnectionStatus
  readonly statusReason: string | null
  /** Grows with each write; what compare-and-set compares. Starts at `firstVersion`. */
  readonly version: number
}

/**
 * The version of a row that is new: the time, in thousandths of a millisecond.
 *
 * A row that is removed and created again goes on from a higher number, so that a late writer of the old one cannot win.
 */
export const firstVersion = (now: number): number => now * 1000

/** The reason of a connection that the host took out of use, until it is enabled again. */
export const disabledByHost = "disabled_by_host"

/** The reason of a connection whose integration moved to another origin since it was confirmed. */
export const originsChanged = "origins_changed"

/**
 * The status in force: a connection is suspended while its integration may send to an origin it was not confirmed for.
 *
 * Derived on reading, so that moving an integration costs one write however many connections it has.
 */
export const statusInForce = (row: ConnectionRow, origins: string): Pick<Connection, "status" | "statusReason"> =>
  row.status === "active" && row.confirmedOrigins !== origins && !isCovered(origins, row.confirmedOrigins)
    ? { status: "disabled", statusReason: originsChanged }
    : { status: row.status, statusReason: row.statusReason }

/** What a host sees of a row; `origins` are its integration's, joined as {@link joinOrigins} does. */
export const toConnection = (row: ConnectionRow, origins: string): Connection => {
  const { status, statusReason } = statusInForce(row, origins)
  // Made for each call, and spreading would cost more than everything else here.
  return {
    owner: row.owner,
    name: row.name,
    integration: row.integration,
    template: row.template,
    provider: row.provider,
    address: connectionAddress(row),
    identityLabel: row.identityLabel,
    description: row.description,
    expiresAt: row.expiresAt,
    oauthClient: row.oauthClient,
    oauthClientOwner: row.oauthClientOwner,
    oauthScope: row.oauthScope,
    status,
    statusReason,
  }
}

/** Origins as one comparable text: sorted, unique, joined by spaces. */
export const joinOrigins = (origins: ReadonlyArray<string>): string => [...new Set(origins)].sort().join(" ")

const isCovered = (origins: string, confirmed: string): boolean => {
  const known = new Set(confirmed.split(" "))
  return origins === "" || origins.split(" ").every((origin) => known.has(origin))
}
