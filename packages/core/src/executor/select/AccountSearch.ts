/**
 * Accounts among which one is selected: the connections of an owner that a caller sees, one by one and by what people call them.
 */
import * as Effect from "effect/Effect"
import { connectionIdentifier, type ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity, Owner } from "../../identity/Identity.ts"
import type { IntegrationRecord } from "../../integration/Integration.ts"
import { type VisibleConnection, visibleConnection, visibleConnections } from "../agents/access.ts"
import { andThen } from "../andThen.ts"
import type { Resources } from "../Resources.ts"

/** Whose connections of which integration are looked through. */
export interface AccountSearch {
  readonly resources: Resources
  readonly identity: Identity
  readonly integration: IntegrationRecord
  readonly owner: Owner
}

/** The connection of a name. */
export const accountRef = ({ integration, owner }: AccountSearch, name: string): ConnectionRef => ({
  owner,
  integration: integration.slug,
  name,
})

/** The first connections of the owner itself: what others share is used where it is named, and never chosen for want of another. */
export const ownAccounts = (
  { resources, identity, integration, owner }: AccountSearch,
  limit: number,
): Effect.Effect<ReadonlyArray<VisibleConnection>, StoreUnavailableError> => {
  const { tenant, subject } = identity
  const query = { tenant, subject, integration: integration.slug, owner }
  return identity.agent === undefined
    ? Effect.map(resources.store.connections.list({ ...query, limit }), (rows) =>
        rows.map((row): VisibleConnection => ({ identity, row })),
      )
    : Effect.map(visibleConnections(resources, identity, { ...query, limit: Number.MAX_SAFE_INTEGER }), (all) =>
        all.filter(({ lender }) => lender === undefined).slice(0, limit),
      )
}

/**
 * Every connection of the owner that an account's name or label means; several only where they are meant alike.
 *
 * What is the owner's own comes first, by whatever it is meant. What others share is meant by its name alone: its label is theirs.
 */
export const accountsNamed = (
  search: AccountSearch,
  account: string,
): Effect.Effect<ReadonlyArray<VisibleConnection>, StoreUnavailableError> => {
  const { resources, identity, integration } = search
  const prefix = `${integration.slug}:`
  const spelled = folded(account.slice(0, prefix.length)) === folded(prefix) ? account.slice(prefix.length) : account
  const name = connectionIdentifier(spelled)
  const byName =
    name === undefined ? Effect.undefined : visibleConnection(resources, identity, accountRef(search, name))
  return andThen(byName, (found) =>
    found === undefined || found.lender !== undefined ? alike(search, spelled, name, found) : Effect.succeed([found]),
  )
}

/** A page of the owner's connections, what others share with them included. */
export const visibleAccounts = (
  { resources, identity, integration, owner }: AccountSearch,
  after: ConnectionRef | undefined,
  limit: number,
): Effect.Effect<ReadonlyArray<VisibleConnection>, StoreUnavailableError> =>
  visibleConnections(resources, identity, {
    tenant: identity.tenant,
    subject: identity.subject,
    integration: integration.slug,
    owner,
    after,
    limit,
  })

/** By a name in other letter case, else by label. Labels are in no index: reads every connection of the owner, page by page. */
const alike = (
  search: AccountSearch,
  spelled: string,
  name: string | undefined,
  lent: VisibleConnection | undefined,
): Effect.Effect<ReadonlyArray<VisibleConnection>, StoreUnavailableError> =>
  Effect.gen(function* () {
    const byName: Array<VisibleConnection> = []
    const byLabel: Array<VisibleConnection> = []
    const shared: Array<VisibleConnection> = []
    const [asName, asLabel] = [name === undefined ? undefined : folded(name), folded(spelled)]
    let after: ConnectionRef | undefined
    for (;;) {
      const page: ReadonlyArray<VisibleConnection> = yield* visibleAccounts(search, after, pageSize)
      for (const connection of page) {
        const { row } = connection
        const isNamed = folded(row.name) === asName
        if (connection.lender !== undefined) {
          if (isNamed) shared.push(connection)
          continue
        }
        if (isNamed) byName.push(connection)
        if (row.identityLabel !== null && folded(row.identityLabel) === asLabel) byLabel.push(connection)
      }
      if (page.length < pageSize) {
        const own = byName.length > 0 ? byName : byLabel
        if (own.length > 0) return own
        return lent === undefined ? shared : [lent]
      }
      after = page.at(-1)?.row
    }
  })

const pageSize = 1000

/** Letter case does not tell accounts apart, nor does how an accent is composed. */
const folded = (text: string): string => text.normalize("NFC").toLowerCase()
