/**
 * Creating a connection, or replacing one: whole or not at all.
 *
 * The tools are resolved with the new credential before anything is stored; what is written then, commitConnection.ts tells.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { CompiledTemplate } from "../../auth/AuthTemplate.ts"
import { type Connection, type ConnectionRow, toConnection } from "../../connection/Connection.ts"
import type { ConnectionConflictError, InvalidConnectionInputError } from "../../connection/ConnectionError.ts"
import {
  connectionAddress,
  connectionItemId,
  type ConnectionKey,
  connectionKey,
  itemPartition,
} from "../../connection/ConnectionRef.ts"
import {
  type CreateConnectionInput,
  type CredentialOrigin,
  credentialOrigin,
} from "../../connection/CreateConnection.ts"
import type { CredentialProviderNotRegisteredError, ProviderError } from "../../credential/CredentialError.ts"
import { quote } from "../../error/KeywardError.ts"
import type { Identity } from "../../identity/Identity.ts"
import { compiledIntegration, type IntegrationRecord } from "../../integration/Integration.ts"
import type { IntegrationNotFoundError } from "../../integration/IntegrationError.ts"
import type { CredentialSource } from "../authorize/CredentialSource.ts"
import type { CatalogError } from "../tools/Catalogs.ts"
import { commitConnection } from "./commitConnection.ts"
import { pluginOf, type SelectedConnection } from "../select/ConnectionSelector.ts"
import { resolveCredential } from "../authorize/CredentialResolver.ts"
import { checkedText, invalid } from "./connectionInput.ts"
import { lockOf } from "./connectionLock.ts"
import { newCatalog } from "./newCatalog.ts"
import { refuseSharedName } from "./refuseSharedName.ts"
import type { Resources } from "../Resources.ts"
import { integrationOf } from "./Connections.ts"
import { type ItemWrite, writeItems } from "./writeItems.ts"

/** What creating a connection can fail with. Nothing is stored then. */
export type CreateConnectionError =
  | InvalidConnectionInputError
  | IntegrationNotFoundError
  | CredentialProviderNotRegisteredError
  | ProviderError
  | CatalogError
  | ConnectionConflictError

/** Creates or replaces a connection. */
export const createConnection = (
  resources: Resources,
  identity: Identity,
  input: CreateConnectionInput,
): Effect.Effect<Connection, CreateConnectionError> =>
  Effect.flatMap(connectionKey(identity, input), (key) =>
    resources.exclusively(lockOf(key), createUnderLock(resources, identity, key, input)),
  )

const createUnderLock = Effect.fnUntraced(function* (
  resources: Resources,
  identity: Identity,
  key: ConnectionKey,
  input: CreateConnectionInput,
): Effect.fn.Return<Connection, CreateConnectionError> {
  const integration = yield* integrationOf(resources, identity, key.integration)
  yield* refuseSharedName(resources, key)
  const compiled = compiledIntegration(integration)
  const plugin = yield* pluginOf(resources, integration)
  const template = compiled.template(input.template)
  if (template === undefined) return yield* undeclaredTemplate(integration, input.template)
  const label = yield* checkedText("identityLabel", input.identityLabel)
  const description = yield* checkedText("description", input.description)
  const origin = yield* credentialOrigin(input, template)
  if (origin.kind === "external") yield* checkReferences(identity, key, origin.ids)
  const home = yield* homeOf(resources, key, origin)
  const first: ConnectionRow = {
    ...key,
    incarnation: "",
    template: template.slug,
    provider: home.provider,
    origin: origin.kind === "external" ? "external" : "minted",
    items: home.items,
    confirmedOrigins: compiled.origins,
    identityLabel: label ?? null,
    description: description ?? null,
    expiresAt: null,
    oauthClient: null,
    oauthClientOwner: null,
    oauthScope: null,
    grant: null,
    status: "active",
    statusReason: null,
    version: 0,
  }
  const selected: SelectedConnection = { identity, row: first, integration, compiled }
  const source = pendingCredential(resources, first, template, origin)
  const catalog = yield* newCatalog(resources, plugin, selected, source)
  const commit = Effect.uninterruptible(
    commitConnection(resources, identity, {
      rowAfter: () => first,
      writeItems: (row, previous) =>
        origin.kind === "pasted" ? writePasted(resources, row, previous, origin.values) : Effect.succeed(Effect.void),
      catalog,
    }),
  )
  // Does not wait for a refresh of what is replaced: that one finds the grant gone and keeps nothing.
  return toConnection(yield* commit, compiled.origins)
})

interface Home {
  readonly provider: string
  readonly items: ConnectionRow["items"]
}

/** Which provider holds a connection's items, and under which ids. */
const homeOf = (
  resources: Resources,
  key: ConnectionKey,
  origin: CredentialOrigin,
): Effect.Effect<Home, CredentialProviderNotRegisteredError> => {
  switch (origin.kind) {
    case "none":
      return Effect.succeed({ provider: "none", items: [] })
    case "external":
      return Effect.map(resources.providers.get(origin.provider), ({ key: provider }) => ({
        provider,
        items: [...origin.ids],
      }))
    case "pasted":
      return Effect.map(resources.providers.defaultWritable(), ({ key: provider }) => ({
        provider,
        items: [...origin.values.keys()].map((variable) => [variable, connectionItemId(key, variable)] as const),
      }))
  }
}

const pendingCredential = (
  resources: Resources,
  row: ConnectionRow,
  template: CompiledTemplate,
  origin: CredentialOrigin,
): CredentialSource => ({
  connection: connectionAddress(row),
  template: Effect.succeed(template),
  resolve: (needed) =>
    origin.kind === "pasted" ? Effect.succeed(origin.values) : resolveCredential(resources, row, needed),
  resolveAnew: () => Effect.succeed(undefined),
})

const writePasted = (
  resources: Resources,
  row: ConnectionRow,
  previous: ConnectionRow | undefined,
  values: ReadonlyMap<string, Redacted.Redacted>,
): Effect.Effect<Effect.Effect<void>, ProviderError | CredentialProviderNotRegisteredError> =>
  Effect.flatMap(resources.providers.defaultWritable(), (provider) => {
    const replaced = new Set(previous?.provider === provider.key ? previous.items.map(([, id]) => id) : [])
    const writes = row.items.flatMap(([variable, id]): ReadonlyArray<ItemWrite> => {
      const value = values.get(variable)
      return value === undefined ? [] : [{ id, value, isReplacing: replaced.has(id) }]
    })
    return writeItems(resources.providers, provider, writes)
  })

/** An external reference must not be a way to what Keyward keeps for another tenant, another user, or a wider owner. */
const checkReferences = (
  identity: Identity,
  { owner }: ConnectionKey,
  ids: ReadonlyMap<string, string>,
): Effect.Effect<void, InvalidConnectionInputError> => {
  const foreign = [...ids.values()].find((id) => itemPartition(identity, owner, id) === "foreign")
  return foreign === undefined
    ? Effect.void
    : invalid(
        "from",
        `the id ${quote(foreign, 200)} is one that Keyward keeps for another owner's connection. Refer to an item of your own, or pass the value.`,
      )
}

const undeclaredTemplate = (
  integration: IntegrationRecord,
  template: string,
): Effect.Effect<never, InvalidConnectionInputError> => {
  const declared = integration.authTemplates.map(({ slug }) => quote(slug))
  return invalid(
    "template",
    `${quote(template)} is not declared by ${quote(integration.slug)} (declared: ${[...declared, '"none"'].join(", ")}).`,
  )
}
