/**
 * The end of every flow: from the tokens that a server gave to the connection that uses them, new or in place of the one before.
 *
 * Written under the connection's lease, so that no refresh of what was there before comes in between. If it cannot be made, the new
 * tokens are put down for revocation and the connection before is as it was.
 */
import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { CompiledTemplate } from "../../auth/AuthTemplate.ts"
import { type Connection, type ConnectionRow, disabledByHost, toConnection } from "../../connection/Connection.ts"
import type { ConnectionGrant } from "../../connection/ConnectionGrant.ts"
import { connectionAddress, tokenItemId } from "../../connection/ConnectionRef.ts"
import { compiledIntegration } from "../../integration/Integration.ts"
import type { OAuthClientKey } from "../../oauth/OAuthClient.ts"
import type { PinnedServer } from "../../oauth/OAuthSession.ts"
import type { TokenSet } from "../../oauth/TokenSet.ts"
import type { CredentialSource } from "../authorize/CredentialSource.ts"
import { commitConnection, type CommitError } from "../connections/commitConnection.ts"
import { lockOf } from "../connections/connectionLock.ts"
import { newCatalog } from "../connections/newCatalog.ts"
import { type ItemWrite, writeItems } from "../connections/writeItems.ts"
import type { Resources } from "../Resources.ts"
import { pluginOf, type SelectedConnection } from "../select/ConnectionSelector.ts"
import type { CatalogError } from "../tools/Catalogs.ts"
import { isSameIssuer } from "./clientServer.ts"
import { dpopProofs } from "./dpopProofs.ts"
import type { GrantedRow } from "./GrantedConnection.ts"
import { announceFlow, type OAuthFlow } from "./OAuthFlow.ts"
import { oweRevocation } from "./RevocationOutbox.ts"
import { dpopItemId, refreshItemId, refreshLeaseKey, tokenItemIds } from "./tokenItems.ts"
import { tokenKeeper } from "./TokenKeeper.ts"

/** What making a connection of tokens can fail with. */
export type MintError = CommitError | CatalogError

/** What a flow obtained. */
export interface Obtained {
  readonly tokens: TokenSet
  readonly server: PinnedServer
  readonly resource: string | null
  /** Separated by spaces. */
  readonly requestedScope: string | null
  /** A private JWK, for tokens that are bound to it. */
  readonly dpopKey?: Redacted.Redacted | undefined
  /** Whom an assertion of the client's speaks for (RFC 7523); `null` for other grants. */
  readonly assertionSubject: string | null
  readonly stepUps: number
  /** The integration's origins when the flow began. */
  readonly confirmedOrigins: string
  /** `undefined`: as before. */
  readonly identityLabel: string | null | undefined
}

/** How an uninterruptible region lets a part of it be interrupted. */
export type Restore = <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>

/**
 * See the file's header. Called uninterruptibly, so that tokens cannot get lost on the way here; what `restore` makes interruptible
 * ends, when it is interrupted, as a failure does.
 */
export const mintConnection = (
  resources: Resources,
  flow: OAuthFlow,
  obtained: Obtained,
  restore: Restore,
): Effect.Effect<Connection, MintError> =>
  Effect.onError(restore(resources.exclusively(lockOf(flow.key), mintUnderLock(resources, flow, obtained))), () =>
    disown(resources, flow, obtained),
  )

const mintUnderLock = (
  resources: Resources,
  flow: OAuthFlow,
  obtained: Obtained,
): Effect.Effect<Connection, MintError> =>
  Effect.gen(function* () {
    const { identity, key, integration } = flow
    const compiled = compiledIntegration(integration)
    const plugin = yield* pluginOf(resources, integration)
    const provider = yield* resources.providers.defaultWritable()
    const grant = grantOf(flow, obtained)
    const rowAfter = (previous: ConnectionRow | undefined): GrantedRow =>
      newRow(flow, obtained, grant, provider.key, previous)
    const row = rowAfter(yield* resources.store.connections.get(key))
    const selected: SelectedConnection = { identity, row, integration, compiled }
    const template = compiled.template(flow.template.slug)
    const catalog = yield* newCatalog(resources, plugin, selected, pendingTokens(resources, row, template, obtained))
    const commit = commitConnection(resources, identity, {
      rowAfter,
      writeItems: (_row, previous) => {
        const before = new Set(
          previous?.provider !== provider.key || previous.origin !== "minted"
            ? []
            : [...previous.items.map(([, id]) => id), ...(previous.grant === null ? [] : tokenItemIds(previous))],
        )
        const writes = itemsOf(flow, obtained).map(([id, value]): ItemWrite => ({
          id,
          value,
          isReplacing: before.has(id),
        }))
        return writeItems(resources.providers, provider, writes)
      },
      catalog,
    })
    // Those of the grant before; forgotten before anybody can keep some of the new one.
    const forget = Effect.sync(() => tokenKeeper(resources).unsaved.forget(key))
    const written = yield* resources.store.lease.hold(refreshLeaseKey(key), () =>
      Effect.uninterruptible(Effect.tap(commit, () => forget)),
    )
    announceFlow(resources, identity, key, flow.client.record, { type: "oauth.completed" })
    return toConnection(written, compiled.origins)
  })

/** The key first, then the refresh token, and the access token last: whatever a crash leaves can be refreshed. */
const itemsOf = (
  { key }: OAuthFlow,
  { tokens, dpopKey }: Obtained,
): ReadonlyArray<readonly [id: string, value: Redacted.Redacted]> => [
  ...(dpopKey === undefined || tokens.tokenType !== "DPoP" ? [] : [[dpopItemId(key), dpopKey] as const]),
  ...(tokens.refreshToken === undefined ? [] : [[refreshItemId(key), tokens.refreshToken] as const]),
  [tokenItemId(key), tokens.accessToken],
]

const grantOf = ({ client }: OAuthFlow, obtained: Obtained): ConnectionGrant => {
  const { tokens, server } = obtained
  return {
    id: randomUUID(),
    type: client.record.grant,
    clientId: client.record.clientId,
    issuer: server.issuer,
    tokenUrl: server.tokenUrl,
    revocationUrl: server.revocationUrl,
    isIssRequired: server.isIssRequired,
    resource: obtained.resource,
    requestedScope: obtained.requestedScope,
    tokenType: tokens.tokenType,
    hasRefreshToken: tokens.refreshToken !== undefined,
    assertionSubject: obtained.assertionSubject,
    issuedAt: tokens.issuedAt,
    stepUps: obtained.stepUps,
    intent: null,
  }
}

const newRow = (
  { key, template, client }: OAuthFlow,
  { tokens, requestedScope, identityLabel, confirmedOrigins }: Obtained,
  grant: ConnectionGrant,
  provider: string,
  previous: ConnectionRow | undefined,
): GrantedRow => ({
  ...key,
  incarnation: "",
  template: template.slug,
  provider,
  origin: "minted",
  items: [["token", tokenItemId(key)]],
  confirmedOrigins,
  identityLabel: identityLabel === undefined ? (previous?.identityLabel ?? null) : identityLabel,
  description: previous?.description ?? null,
  expiresAt: tokens.expiresAt,
  oauthClient: client.record.slug,
  oauthClientOwner: client.record.owner,
  // RFC 6749, section 5.1: an answer without a scope grants what was asked for.
  oauthScope: tokens.scope ?? requestedScope,
  grant,
  // What the host took out of use is not put back by whoever connects the account.
  ...(previous?.statusReason === disabledByHost
    ? { status: previous.status, statusReason: disabledByHost }
    : { status: "active", statusReason: null }),
  version: 0,
})

/** The plugin may need the new token to list tools, before anything is stored. */
const pendingTokens = (
  resources: Resources,
  row: GrantedRow,
  template: CompiledTemplate | undefined,
  { tokens, dpopKey }: Obtained,
): CredentialSource => ({
  connection: connectionAddress(row),
  template:
    template === undefined
      ? Effect.die(new Error("unreachable: the flow has this template"))
      : Effect.succeed(template),
  resolve: () => Effect.succeed(new Map([["token", tokens.accessToken]])),
  resolveAnew: () => Effect.succeed(undefined),
  proof: tokens.tokenType === "DPoP" ? dpopProofs(resources, row, dpopKey) : undefined,
})

/**
 * Puts tokens down for revocation that no connection was made of.
 *
 * Not where there is a connection of the same app: many servers know one grant per person and app, and would end that one too.
 */
export const disown = (resources: Resources, flow: OAuthFlow, { tokens, server }: Obtained): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { record } = flow.client
    const existing = yield* resources.store.connections.get(flow.key)
    const other = existing?.grant ?? null
    if (other !== null && other.clientId === record.clientId && isSameIssuer(other.issuer, server.issuer)) return
    const { issuer, revocationUrl } = server
    const { accessToken, refreshToken } = tokens
    const { template } = flow
    yield* oweRevocation(resources, {
      client: keyOf(record),
      template,
      issuer,
      revocationUrl,
      accessToken,
      refreshToken,
    })
  }).pipe(Effect.ignore)

const keyOf = ({ tenant, subject, owner, slug }: OAuthClientKey): OAuthClientKey => ({ tenant, subject, owner, slug })
