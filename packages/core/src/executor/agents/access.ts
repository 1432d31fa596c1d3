/**
 * Which connections a caller sees, and what they may do with each: their own, the organisation's and what is shared with them; an agent
 * only what it was granted of these.
 *
 * Called by the selector for every call and by every list, so that both show the same. What is not granted is not there.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { ConnectionRow } from "../../connection/Connection.ts"
import { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import { connectionAddress, type ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { ConnectionQuery } from "../../connection/ConnectionStore.ts"
import { compareRefs } from "../../connection/listOrder.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import { AccessDeniedError } from "../../policy/AccessError.ts"
import { type AccessIndex, accessIndex, type ConnectionIncarnation } from "../../policy/AccessIndex.ts"
import { accessOfRequest, accessOfTool } from "../../policy/AccessScope.ts"
import type { AgentRecord } from "../../policy/Agent.ts"
import { type AccessDecision, type ConnectionAccess, mayUse } from "../../policy/ConnectionAccess.ts"
import type { ShareRecord } from "../../policy/Share.ts"
import type { ToolDef } from "../../tool/Tool.ts"
import { andThen } from "../andThen.ts"
import type { Resources } from "../Resources.ts"

/** A connection as its owner has it: what calls of those with whom it is shared run with. */
interface Lender {
  readonly identity: Identity
  readonly row: ConnectionRow
}

/** A connection as a caller sees it. */
export interface VisibleConnection {
  readonly identity: Identity
  /** Of a shared connection: under the recipient's own name, and without anything of its credential. */
  readonly row: ConnectionRow
  /** What the caller may do with it; absent: everything. */
  readonly access?: ConnectionAccess | undefined
  /** Present on a shared connection. */
  readonly lender?: Lender | undefined
}

/** The connection that a caller means by a reference with a normalized name; `undefined` when they see none. */
export const visibleConnection = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<VisibleConnection | undefined, StoreUnavailableError> =>
  identity.agent === undefined
    ? andThen(ownRow(resources, identity, ref), (row) => {
        if (row !== undefined) return Effect.succeed({ identity, row })
        if (ref.owner === "org" || identity.subject === null) return Effect.undefined
        return andThen(rightsOf(resources, identity), (rights) => sharedConnection(resources, identity, rights, ref))
      })
    : andThen(rightsOf(resources, identity), (rights) => {
        if (!rights.index.isComplete || !rights.index.allows(ref.integration)) return Effect.undefined
        return andThen(ownRow(resources, identity, ref), (row) => {
          if (row === undefined) return sharedConnection(resources, identity, rights, ref)
          const access = rights.index.accessOfAgents(row, rights.now)
          return Effect.succeed(access && { identity, row, access })
        })
      })

/** The connections that a caller sees, as `ConnectionStore.list` orders and limits them. */
export const visibleConnections = (
  resources: Resources,
  identity: Identity,
  query: ConnectionQuery,
): Effect.Effect<ReadonlyArray<VisibleConnection>, StoreUnavailableError> => {
  if (identity.agent !== undefined) {
    return Effect.flatMap(rightsOf(resources, identity), ({ index }) =>
      connectionsAt(resources, identity, refsOf(index, query), query.limit),
    )
  }
  const own = Effect.map(resources.store.connections.list(query), (rows) =>
    rows.map((row): VisibleConnection => ({ identity, row })),
  )
  if (identity.subject === null || query.owner === "org") return own
  return Effect.flatMap(rightsOf(resources, identity), ({ index }) => {
    const refs = refsOf(index, query)
    if (refs.length === 0) return own
    return Effect.zipWith(own, connectionsAt(resources, identity, refs, query.limit), (mine, others) => {
      // An own connection stands before a shared one of its name.
      const shared = others.filter(({ lender }) => lender !== undefined)
      return [...mine, ...shared].sort((one, other) => compareRefs(one.row, other.row)).slice(0, query.limit)
    })
  })
}

/** Whether the caller may call a tool of a connection. */
export const mayCall = ({ access }: Pick<VisibleConnection, "access">, tool: ToolDef): AccessDecision =>
  access === undefined ? "allowed" : mayUse(access, { access: accessOfTool(tool.annotations), tool: tool.name })

/** Whether the caller may send a request of their own; fails with what is missing. */
export const checkFetch = (
  { access, row }: VisibleConnection,
  request: Parameters<typeof accessOfRequest>[0],
): Effect.Effect<void, AccessDeniedError> => {
  const needed = accessOfRequest(request)
  const decision = mayUse(access, { access: needed, tool: null })
  if (decision === "allowed") return Effect.void
  const missing = decision === "hidden" ? "fetch" : needed
  return Effect.fail(new AccessDeniedError({ address: connectionAddress(row), missing }))
}

/** Says of a shared connection's credential what its recipient may know: under their name for it, and who can mend it. */
export const toRecipient = (error: ConnectionCredentialError, row: ConnectionRow): ConnectionCredentialError =>
  new ConnectionCredentialError({
    code: error.code,
    connection: connectionAddress(row),
    reason: error.reason,
    nextStep: `It is shared with this caller; its owner has to act: ${error.nextStep}`,
    retryable: error.retryable,
    authRequired: error.authRequired,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    ...(error.scope === undefined ? {} : { scope: error.scope }),
  })

/** What an agent may do with a connection, under whatever name it sees it, if it sees it at all; `undefined` for nothing. */
export const accessOfAgent = (
  resources: Resources,
  identity: Identity,
  connection: ConnectionIncarnation,
): Effect.Effect<ConnectionAccess | undefined, StoreUnavailableError> =>
  Effect.map(rightsOf(resources, identity), ({ index, now }) =>
    index.isComplete ? index.accessOfAgents(connection, now) : undefined,
  )

/** What a user may do with a connection that was shared with them; `undefined` for nothing. */
export const accessOfRecipient = (
  resources: Resources,
  { tenant, subject }: Identity,
  connection: ConnectionIncarnation,
): Effect.Effect<ConnectionAccess | undefined, StoreUnavailableError> =>
  Effect.map(rightsOf(resources, { tenant, subject }), ({ index, now }) => index.accessOfSubject(connection, now))

/** Whether the caller has the tools of an integration: everybody but agents that were not allowed it. */
export const hasIntegration = (
  resources: Resources,
  identity: Identity,
  slug: string,
): Effect.Effect<boolean, StoreUnavailableError> =>
  identity.agent === undefined
    ? Effect.succeed(true)
    : andThen(rightsOf(resources, identity), ({ index }) => Effect.succeed(index.isComplete && index.allows(slug)))

/** The agent that acts, if it and every agent above it are there. */
export const actingAgent = (
  resources: Resources,
  { tenant, subject, agent }: Identity,
): Effect.Effect<AgentRecord | undefined, StoreUnavailableError> =>
  andThen(resources.store.access.ofCaller({ tenant, subject, agent: agent ?? null }), (records) =>
    Effect.succeed(accessIndex(records, subject).isComplete ? records.agents[0] : undefined),
  )

interface Rights {
  readonly index: AccessIndex
  /** Epoch milliseconds; 0 where nothing ends by itself. */
  readonly now: number
}

const rightsOf = (resources: Resources, { tenant, subject, agent }: Identity) =>
  andThen(
    resources.store.access.ofCaller({ tenant, subject, agent: agent ?? null }),
    (records): Effect.Effect<Rights, StoreUnavailableError> => {
      const index = accessIndex(records, subject)
      return index.hasEnd
        ? Effect.map(Clock.currentTimeMillis, (now) => ({ index, now }))
        : Effect.succeed({ index, now: 0 })
    },
  )

/** The organisation's row, or the acting user's. */
const ownRow = (
  resources: Resources,
  { tenant, subject }: Identity,
  { owner, integration, name }: ConnectionRef,
): Effect.Effect<ConnectionRow | undefined, StoreUnavailableError> =>
  owner === "user" && subject === null
    ? Effect.undefined
    : resources.store.connections.get(
        { tenant, subject: owner === "user" ? (subject ?? "") : "", owner, integration, name },
        "recent",
      )

const sharedConnection = (
  resources: Resources,
  identity: Identity,
  { index, now }: Rights,
  ref: ConnectionRef,
): Effect.Effect<VisibleConnection | undefined, StoreUnavailableError> => {
  const share = ref.owner === "user" ? index.shared(ref.integration, ref.name) : undefined
  if (share === undefined) return Effect.undefined
  return andThen(resources.store.connections.get(share.connection, "recent"), (row) => {
    if (row === undefined || row.incarnation !== share.connectionIncarnation) return Effect.undefined
    const access = identity.agent === undefined ? index.accessOfSubject(row, now) : index.accessOfAgents(row, now)
    if (access === undefined) return Effect.undefined
    const lender = { identity: { tenant: row.tenant, subject: row.subject }, row }
    return Effect.succeed({ identity, row: rowForRecipient(row, share, identity), access, lender })
  })
}

const rowForRecipient = (row: ConnectionRow, { as }: ShareRecord, { subject }: Identity): ConnectionRow => ({
  ...row,
  subject: subject ?? "",
  name: as,
  provider: "shared",
  origin: "external",
  items: [],
  expiresAt: null,
  oauthClient: null,
  oauthClientOwner: null,
  oauthScope: null,
  grant: null,
})

/** What an index names, as a query asks for it and in its order. */
const refsOf = (
  index: AccessIndex,
  { integration, owner, name, after }: ConnectionQuery,
): ReadonlyArray<ConnectionRef> =>
  index.refs
    .filter(
      (ref) =>
        (integration === undefined || ref.integration === integration) &&
        (owner === undefined || ref.owner === owner) &&
        (name === undefined || ref.name === name) &&
        (after === undefined || compareRefs(ref, after) > 0),
    )
    .sort(compareRefs)

const connectionsAt = (
  resources: Resources,
  identity: Identity,
  refs: ReadonlyArray<ConnectionRef>,
  limit: number,
): Effect.Effect<ReadonlyArray<VisibleConnection>, StoreUnavailableError> =>
  Effect.gen(function* () {
    const found: Array<VisibleConnection> = []
    for (const ref of refs) {
      if (found.length >= limit) break
      const connection = yield* visibleConnection(resources, identity, ref)
      if (connection !== undefined) found.push(connection)
    }
    return found
  })
