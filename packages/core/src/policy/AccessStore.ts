/**
 * Where agents, grants and shares are kept. Implemented by stores; called by the executor.
 *
 * A record that names an incarnation that is gone has no effect, so nothing here has to be removed together with something else.
 */
import type * as Effect from "effect/Effect"
import type { ConnectionKey } from "../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { AgentRecord } from "./Agent.ts"
import type { GrantKey, GrantRecord } from "./Grant.ts"
import type { ShareKey, ShareRecipient, ShareRecord } from "./Share.ts"

/** For whom rights are asked: an acting user, an agent, or an agent that acts for a user. */
export interface Caller {
  readonly tenant: string
  readonly subject: string | null
  /** An agent's id; `null` when none acts. */
  readonly agent: string | null
}

/** Everything that decides what one caller may use. */
export interface CallerRecords {
  /** The acting agent, then those above it as far as they are there; empty when none acts or the acting one is gone. */
  readonly agents: ReadonlyArray<AgentRecord>
  /** The grants to these agents that count for the caller's subject or for whoever acts. */
  readonly grants: ReadonlyArray<GrantRecord>
  /** What is shared with the subject, then what is shared with these agents. */
  readonly shares: ReadonlyArray<ShareRecord>
}

/** See the file's header. */
export interface AccessStore {
  /**
   * Everything that decides what a caller may use, as it is now. Called with every call of an agent.
   *
   * Answers the same object as long as nothing of it has changed, so that what is derived from it is derived once.
   */
  ofCaller(caller: Caller): Effect.Effect<CallerRecords, StoreUnavailableError>

  getAgent(tenant: string, id: string): Effect.Effect<AgentRecord | undefined, StoreUnavailableError>
  /** Writes an agent if the stored version is the expected one; `0` expects that there is none. Answers whether it did. */
  putAgent(record: AgentRecord, expectedVersion: number): Effect.Effect<boolean, StoreUnavailableError>
  /** Deletes an agent, the grants to it and the shares with it. Answers whether there was one. Agents below it stay. */
  removeAgent(tenant: string, id: string): Effect.Effect<boolean, StoreUnavailableError>
  /** Lists agents ordered by id, code unit by code unit, after an id where one is given. */
  listAgents(query: {
    readonly tenant: string
    readonly after?: string | undefined
    readonly limit: number
  }): Effect.Effect<ReadonlyArray<AgentRecord>, StoreUnavailableError>

  /** Writes a grant over the one of the same key. */
  putGrant(record: GrantRecord): Effect.Effect<void, StoreUnavailableError>
  /** Deletes a grant. Answers whether there was one. */
  removeGrant(key: GrantKey): Effect.Effect<boolean, StoreUnavailableError>
  /**
   * All grants to an agent, of whichever subject, ordered by integration, name, the users they are of and from, and who handed them on,
   * those of hosts first.
   */
  listGrants(tenant: string, agent: string): Effect.Effect<ReadonlyArray<GrantRecord>, StoreUnavailableError>
  /** All grants of a connection, to whichever agents and of whichever subject, in no order. */
  listGrantsOf(connection: ConnectionKey): Effect.Effect<ReadonlyArray<GrantRecord>, StoreUnavailableError>

  /**
   * Writes a share over the one of the same key; refuses where the recipient has another share of that integration under its name.
   * Answers whether it did.
   */
  putShare(record: ShareRecord): Effect.Effect<boolean, StoreUnavailableError>
  /** Deletes a share. Answers whether there was one. */
  removeShare(key: ShareKey): Effect.Effect<boolean, StoreUnavailableError>
  /** Shares of a connection, those with users first, in an order of recipients that stays; after one where one is given. */
  listShares(
    connection: ConnectionKey,
    page: { readonly after?: ShareRecipient | undefined; readonly limit: number },
  ): Effect.Effect<ReadonlyArray<ShareRecord>, StoreUnavailableError>

  /** Deletes every grant and every share of a connection. */
  forgetConnection(connection: ConnectionKey): Effect.Effect<void, StoreUnavailableError>
}
