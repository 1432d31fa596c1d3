/**
 * Sharing a user's connection with another user or with an agent: `connections.share`, `shares` and `unshare`, for its owner.
 *
 * The recipient sees it under a name of their own. What they call runs with the owner's row and items, and ends when the owner says so.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { ConnectionRow } from "../../connection/Connection.ts"
import type { InvalidConnectionInputError } from "../../connection/ConnectionError.ts"
import { connectionKey, type ConnectionRef } from "../../connection/ConnectionRef.ts"
import { quote } from "../../error/KeywardError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import { type Identity, makeIdentity } from "../../identity/Identity.ts"
import {
  type AccessDeniedError,
  type AgentNotFoundError,
  type GrantTooWideError,
  InvalidGrantError,
} from "../../policy/AccessError.ts"
import {
  type Share,
  type ShareInput,
  type ShareRecipient,
  shareName,
  type ShareRecord,
  toShare,
} from "../../policy/Share.ts"
import { eventOf } from "../announce.ts"
import { commitChange } from "../audit/commitChange.ts"
import { checkedPage, unlimited } from "../checkedPage.ts"
import type { Resources } from "../Resources.ts"
import { type SelectError, selectOwn } from "../select/ConnectionSelector.ts"
import { requireAgent } from "./Agents.ts"
import { endUnsupported } from "./endedGrants.ts"
import { checkParent, connectionOf, scopeInForce } from "./Grants.ts"

/** Which shares of a connection to list. */
export interface ListSharesInput {
  /** At most so many. Default: all. */
  readonly limit?: number | undefined
  /** `with` of the last share of the page before. */
  readonly after?: ShareRecipient | undefined
}

/** What sharing can fail with. Nothing is stored then. */
export type ShareError = SelectError | AccessDeniedError | AgentNotFoundError | InvalidGrantError | GrantTooWideError

/** Shares a connection of the acting user. */
export const share = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
  input: ShareInput,
): Effect.Effect<Share, ShareError> =>
  Effect.gen(function* () {
    const { access } = resources.store
    const scope = yield* scopeInForce(input)
    const { row } = yield* selectOwn(resources, identity, ref)
    if (row.owner === "org") {
      return yield* invalid(
        "connection",
        "everybody in the tenant has the organisation's; grant it to agents with agents.grant.",
      )
    }
    const recipient = yield* checkRecipient(identity, input.with)
    const agent = recipient.agent === undefined ? undefined : yield* requireAgent(resources, identity, recipient.agent)
    const [parent] = agent?.lineage ?? []
    // Whomever the agent acts for: so the one above has to have it whomever it acts for.
    if (parent !== undefined) yield* checkParent(resources, { ...identity, subject: null }, parent.id, row, scope)
    const connection = connectionOf(row)
    // What came to its end by itself does not come back with this.
    yield* endUnsupported(resources, identity, connection)
    const standing = yield* access.listShares(connection, { limit: unlimited })
    const known = standing.find((other) => isSameRecipient(other.with, recipient))
    const base = {
      tenant: identity.tenant,
      with: recipient,
      connection,
      agentIncarnation: agent?.incarnation ?? null,
      connectionIncarnation: row.incarnation,
      sharedAt: yield* Clock.currentTimeMillis,
      ...scope,
    }
    for (const as of yield* namesFor(input.as, known?.as, row)) {
      if (yield* put(resources, identity, { ...base, as })) return toShare({ ...base, as })
    }
    return yield* invalid(
      "as",
      `${quote(input.as ?? known?.as ?? row.name)} is taken among the recipient's connections; choose another name.`,
    )
  })

/** The shares of a connection that are in force: with users first, in an order of recipients that stays. */
export const listShares = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
  input: ListSharesInput,
): Effect.Effect<ReadonlyArray<Share>, SelectError | AccessDeniedError | InvalidGrantError> =>
  Effect.gen(function* () {
    const { limit } = yield* checkedPage({ limit: input.limit }, invalidInput)
    let after = input.after === undefined ? undefined : yield* checkedPosition(input.after)
    const { row } = yield* selectOwn(resources, identity, ref)
    const listed: Array<Share> = []
    while (listed.length < limit) {
      const size = Math.min(limit - listed.length, mostPerPage)
      const page: ReadonlyArray<ShareRecord> = yield* resources.store.access.listShares(connectionOf(row), {
        after,
        limit: size,
      })
      // What was shared of a connection that had the name before is not in force.
      listed.push(...page.filter((record) => record.connectionIncarnation === row.incarnation).map(toShare))
      if (page.length < size) break
      after = page[page.length - 1]?.with
    }
    return listed
  })

/** Ends a share, of its owner or of the user who is its recipient, and what rests on it. What is not shared is unshared already. */
export const unshare = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
  recipient: ShareRecipient,
): Effect.Effect<void, InvalidConnectionInputError | InvalidGrantError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const connection = yield* connectionKey(identity, ref)
    const declined = yield* sharedAs(resources, identity, connection, recipient)
    const shared = declined?.connection ?? connection
    const checked = declined?.with ?? (yield* checkRecipient(identity, recipient))
    const write = resources.store.access.removeShare({ tenant: identity.tenant, with: checked, connection: shared })
    const removed = eventOf(shared, { type: "share.removed", with: checked })
    const end = Effect.flatMap(commitChange(resources, identity, write, removed), (isEnded) =>
      isEnded ? endUnsupported(resources, identity, shared, checked) : Effect.void,
    )
    yield* Effect.uninterruptible(end)
  })

/** The share that the acting user sees under a name and, naming themselves as its recipient, wants no more. */
const sharedAs = (
  { store }: Resources,
  { tenant, subject }: Identity,
  { owner, integration, name }: ConnectionRef,
  recipient: ShareRecipient,
): Effect.Effect<ShareRecord | undefined, StoreUnavailableError> => {
  // Hosts hand this through from outside.
  const { subject: user, agent } = (recipient ?? {}) as { readonly subject?: unknown; readonly agent?: unknown }
  if (subject === null || owner !== "user" || user !== subject || agent !== undefined) return Effect.undefined
  return Effect.map(store.access.ofCaller({ tenant, subject, agent: null }), ({ shares }) =>
    shares.find((share) => share.as === name && share.connection.integration === integration),
  )
}

/** Writes a share if the recipient has nothing else under its name. */
const put = (
  resources: Resources,
  identity: Identity,
  record: ShareRecord,
): Effect.Effect<boolean, StoreUnavailableError> =>
  Effect.gen(function* () {
    const { access, connections } = resources.store
    const { with: recipient, access: allowed, tools, expiresAt } = record
    const { as } = toShare(record)
    const added = eventOf(record.connection, {
      type: "share.added",
      with: recipient,
      as,
      access: allowed,
      tools,
      expiresAt,
    })
    const write = commitChange(resources, identity, access.putShare(record), added)
    const { integration } = record.connection
    if (record.with.subject !== undefined) {
      const { tenant } = record
      const own = { tenant, subject: record.with.subject, owner: "user", integration, name: record.as } as const
      if ((yield* connections.get(own)) !== undefined) return false
    }
    if (yield* write) return true
    const { tenant } = record
    const caller = { tenant, subject: recipient.subject ?? null, agent: recipient.agent ?? null }
    const { shares } = yield* access.ofCaller(caller)
    const standing = shares.find((share) => share.as === record.as && share.connection.integration === integration)
    if (standing === undefined) return false
    // One whose connection is gone, which nobody could tidy up in time, has no claim to the name.
    const row = yield* connections.get(standing.connection)
    if (row?.incarnation === standing.connectionIncarnation) return false
    yield* access.removeShare(standing)
    return yield* write
  })

/** How many numbers are tried behind a default name. */
const mostNumbers = 20

/** A chosen name and no other, or the default one with a number where it is taken. */
const namesFor = (
  chosen: string | undefined,
  known: string | undefined,
  { name: own, subject }: ConnectionRow,
): Effect.Effect<ReadonlyArray<string>, InvalidGrantError> => {
  if (chosen === undefined) {
    const name = known ?? shareName(own, subject)
    if (name === undefined) return invalid("as", `${quote(own)} is too long to say whose it is; choose a shorter name.`)
    return Effect.succeed([name, ...Array.from({ length: mostNumbers - 1 }, (_, index) => `${name}${index + 2}`)])
  }
  const as = typeof chosen === "string" ? shareName(chosen, subject) : undefined
  return as === undefined
    ? invalid("as", `${quote(chosen)} holds no letter or digit to name a connection by, or is too long.`)
    : Effect.succeed([as])
}

const checkRecipient = (
  { tenant, subject }: Identity,
  recipient: ShareRecipient,
): Effect.Effect<ShareRecipient, InvalidGrantError> => {
  // Hosts hand this through from outside.
  const { subject: user, agent } = (recipient ?? {}) as { readonly subject?: unknown; readonly agent?: unknown }
  if (typeof agent === "string" && user === undefined) return Effect.succeed({ agent })
  if (typeof user !== "string" || agent !== undefined) {
    return invalid("with", "name either a subject or an agent.")
  }
  if (user === subject) return invalid("with", "is its owner.")
  return Effect.mapBoth(makeIdentity({ tenant, subject: user }, tenant), {
    onFailure: ({ message }) => new InvalidGrantError({ field: "with", fault: message }),
    onSuccess: () => ({ subject: user }),
  })
}

const checkedPosition = (after: ShareRecipient): Effect.Effect<ShareRecipient, InvalidGrantError> => {
  // Hosts hand this through from outside.
  const { subject, agent } = (after ?? {}) as { readonly subject?: unknown; readonly agent?: unknown }
  if (typeof subject === "string" && agent === undefined) return Effect.succeed({ subject })
  if (typeof agent === "string" && subject === undefined) return Effect.succeed({ agent })
  return invalid("after", "must be `with` of the last share of the page before.")
}

const mostPerPage = 1000

const isSameRecipient = (one: ShareRecipient, other: ShareRecipient): boolean =>
  one.subject === other.subject && one.agent === other.agent

const invalidInput = (field: string, fault: string): InvalidGrantError => new InvalidGrantError({ field, fault })

const invalid = (field: string, fault: string): Effect.Effect<never, InvalidGrantError> =>
  Effect.fail(invalidInput(field, fault))
