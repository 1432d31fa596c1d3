/**
 * Which of several connections is meant when a call does not say: marked, looked up, ended. And, for hosts that want to know before they
 * call, which connection a call would run as.
 */
import * as Effect from "effect/Effect"
import type { AccountsKey } from "../../connection/AccountStore.ts"
import { type Connection, joinOrigins } from "../../connection/Connection.ts"
import type { InvalidConnectionInputError } from "../../connection/ConnectionError.ts"
import { connectionKey, type ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import { visibleConnection } from "../agents/access.ts"
import { eventOf } from "../announce.ts"
import { commitChange } from "../audit/commitChange.ts"
import { lockOf } from "../connections/connectionLock.ts"
import { shownConnection } from "../connections/Connections.ts"
import type { Resources } from "../Resources.ts"
import { selectConnection, type SelectError } from "./ConnectionSelector.ts"
import { type AccountRequest, integrationOfCall, selectAccount, type SelectAccountError } from "./selectAccount.ts"

/** Whose connections of which integration. */
export type AccountsRef = Omit<ConnectionRef, "name">

/** What marking a connection can fail with. */
export type SetDefaultError = SelectError

/** The connection that a call of an integration would run as. */
export const selectedConnection = (
  resources: Resources,
  identity: Identity,
  slug: string,
  request: AccountRequest,
): Effect.Effect<Connection, SelectAccountError> =>
  Effect.flatMap(integrationOfCall(resources, identity, slug), (integration) =>
    Effect.map(selectAccount(resources, identity, integration, request), ({ selected }) =>
      shownConnection(selected, selected.compiled.origins),
    ),
  )

/** The default, or `null`. */
export const getDefault = (
  resources: Resources,
  identity: Identity,
  accounts: AccountsRef,
): Effect.Effect<Connection | null, InvalidConnectionInputError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const key = yield* accountsKey(identity, accounts)
    const marked = yield* resources.store.accounts.get(key)
    if (marked === undefined) return null
    const found = yield* visibleConnection(resources, identity, { ...accounts, name: marked.name })
    if (found === undefined || found.row.incarnation !== marked.incarnation) return null
    const integration = yield* resources.store.integrations.get(identity.tenant, accounts.integration)
    return shownConnection(found, integration === undefined ? "" : joinOrigins(integration.origins))
  })

/** Marks a connection as the default of its integration and owner, in place of the one before. */
export const setDefault = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<Connection, SetDefaultError> =>
  Effect.flatMap(connectionKey(identity, ref), (key) =>
    resources.exclusively(
      // Not while it is being removed.
      lockOf(key),
      Effect.gen(function* () {
        const selected = yield* selectConnection(resources, identity, ref)
        const { name, incarnation } = selected.row
        const write = resources.store.accounts.put(key, { name, incarnation })
        yield* commitChange(resources, identity, write, eventOf(selected.row, { type: "connection.default_set" }))
        return shownConnection(selected, selected.compiled.origins)
      }),
    ),
  )

/** Ends a default; where there is none, it is done already. */
export const clearDefault = (
  resources: Resources,
  identity: Identity,
  accounts: AccountsRef,
): Effect.Effect<void, InvalidConnectionInputError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const key = yield* accountsKey(identity, accounts)
    const marked = yield* resources.store.accounts.get(key)
    if (marked === undefined) return
    const { name } = marked
    const cleared = eventOf({ ...key, name }, { type: "connection.default_cleared" })
    yield* commitChange(resources, identity, resources.store.accounts.remove(key, name), cleared)
  })

const accountsKey = (
  identity: Identity,
  { owner, integration }: AccountsRef,
): Effect.Effect<AccountsKey, InvalidConnectionInputError> =>
  connectionKey(identity, { owner, integration, name: "any" })
