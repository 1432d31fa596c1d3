/**
 * Grants that rest on another right: what an agent handed on, on what it has itself; what a user granted of a connection that they were
 * lent, on the share. They end with it, for good: granting or sharing anew does not bring them back.
 *
 * A right that only became narrower limits what rests on it for as long, with each call (AccessIndex.ts), and ends nothing.
 */
import * as Effect from "effect/Effect"
import type { ConnectionKey } from "../../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import { type ConnectionAccess, excessOf } from "../../policy/ConnectionAccess.ts"
import type { GrantRecord } from "../../policy/Grant.ts"
import type { ShareRecipient } from "../../policy/Share.ts"
import { eventOf } from "../announce.ts"
import { commitChange } from "../audit/commitChange.ts"
import type { Resources } from "../Resources.ts"
import { accessOfAgent, accessOfRecipient } from "./access.ts"

/**
 * Ends the grants of a connection that have nothing left to rest on; of what rests on the rights of somebody who lost one, also what no
 * longer fits the others.
 */
export const endUnsupported = (
  resources: Resources,
  identity: Identity,
  connection: ConnectionKey,
  loser?: ShareRecipient,
): Effect.Effect<void, StoreUnavailableError> =>
  Effect.gen(function* () {
    const { access } = resources.store
    let isOver = false
    // What is taken from one agent, those below it may have had from it.
    while (!isOver) {
      isOver = true
      for (const record of yield* access.listGrantsOf(connection)) {
        const support = yield* supportOf(resources, record)
        if (support === "itself") continue
        if (
          support !== undefined &&
          (excessOf(support, record) === undefined || !(yield* restsOn(resources, record, loser)))
        )
          continue
        const by = record.delegatedBy === null ? {} : { delegatedBy: record.delegatedBy }
        const revoked = eventOf(record.grantedAs, { type: "grant.revoked", agentId: record.agent, ...by })
        if (yield* commitChange(resources, identity, access.removeGrant(record), revoked)) isOver = false
      }
    }
  })

/** Whether an agent handed on what somebody has lost: to a user it was handed on for, to itself, or to an agent above it. */
const restsOn = (
  { store }: Resources,
  { tenant, subject, delegatedBy }: GrantRecord,
  loser: ShareRecipient | undefined,
): Effect.Effect<boolean, StoreUnavailableError> => {
  if (loser === undefined || delegatedBy === null) return Effect.succeed(false)
  if (loser.agent === undefined) return Effect.succeed(subject === loser.subject)
  if (loser.agent === delegatedBy) return Effect.succeed(true)
  return Effect.map(
    store.access.getAgent(tenant, delegatedBy),
    (agent) => agent?.lineage.some(({ id }) => id === loser.agent) === true,
  )
}

/** Whether a grant that rests on another right still has one; true of all others. */
export const isSupported = (resources: Resources, record: GrantRecord): Effect.Effect<boolean, StoreUnavailableError> =>
  Effect.map(supportOf(resources, record), (support) => support !== undefined)

/** The right that a grant rests on; `itself` for what an owner granted of their own. */
const supportOf = (
  resources: Resources,
  { tenant, subject, delegatedBy, connection, connectionIncarnation }: GrantRecord,
): Effect.Effect<ConnectionAccess | "itself" | undefined, StoreUnavailableError> => {
  const granted = { ...connection, incarnation: connectionIncarnation }
  if (delegatedBy !== null) return accessOfAgent(resources, { tenant, subject, agent: delegatedBy }, granted)
  return connection.owner === "org" || subject === connection.subject
    ? Effect.succeed("itself")
    : accessOfRecipient(resources, { tenant, subject }, granted)
}
