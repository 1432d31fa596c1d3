/**
 * A share: another user, or an agent, may use a user's connection, under a name of their own, for as long as its owner lets them.
 *
 * Calls run with the owner's row and the owner's items; the recipient sees neither. Tied to the connection's incarnation, as grants are.
 */
import { connectionAddress, connectionIdentifier, type ConnectionKey } from "../connection/ConnectionRef.ts"
import type { AccessScope } from "./AccessScope.ts"
import type { AccessScopeInput } from "./Grant.ts"

/** With whom something is shared: a user of the tenant, or an agent, whomever it acts for. */
export type ShareRecipient =
  { readonly subject: string; readonly agent?: undefined } | { readonly agent: string; readonly subject?: undefined }

/** What an owner shares. */
export interface ShareInput extends AccessScopeInput {
  readonly with: ShareRecipient
  /**
   * The name by which the recipient sees it. Default: the connection's own. Whose it is always follows, so that it is no name of the
   * recipient's: `work` of `alice` is `workOfAlice`.
   */
  readonly as?: string | undefined
}

/** A share as its owner sees it. */
export interface Share extends AccessScope {
  /** The connection's address. */
  readonly connection: string
  readonly with: ShareRecipient
  /** The address under which the recipient sees it. */
  readonly as: string
  /** Epoch milliseconds. */
  readonly sharedAt: number
}

/** Names one share: sharing a connection with the same recipient again replaces it. */
export interface ShareKey {
  readonly tenant: string
  readonly with: ShareRecipient
  readonly connection: ConnectionKey
}

/** A share as stores keep it. No two of one recipient and integration have the same `as`. */
export interface ShareRecord extends ShareKey, AccessScope {
  /** The name by which the recipient sees it. */
  readonly as: string
  /** See `AgentRecord.incarnation`; `null` where it is with a user. */
  readonly agentIncarnation: string | null
  /** See `ConnectionRow.incarnation`. */
  readonly connectionIncarnation: string
  readonly sharedAt: number
}

/** What an owner sees of a record. */
export const toShare = (record: ShareRecord): Share => ({
  connection: connectionAddress(record.connection),
  with: { ...record.with },
  as: connectionAddress({ owner: "user", integration: record.connection.integration, name: record.as }),
  access: [...record.access],
  tools: record.tools && [...record.tools],
  expiresAt: record.expiresAt,
  sharedAt: record.sharedAt,
})

/** The name of a connection in others' sight: `main` of `alice` becomes `mainOfAlice`, and so does `mainOfAlice`. */
export const shareName = (name: string, subject: string): string | undefined => {
  const suffix = connectionIdentifier(`x of ${subject}`)?.slice(1) ?? "Shared"
  const named = connectionIdentifier(name)
  if (named !== undefined && named.length > suffix.length && named.endsWith(suffix)) return named
  if (named === undefined) return undefined
  return connectionIdentifier(`${named}${suffix}`) ?? connectionIdentifier(`${named}Shared`)
}
