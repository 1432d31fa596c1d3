/**
 * One flow: what it is for, through which client, at which server. Read from records at the start, and again at the end.
 */
import * as Effect from "effect/Effect"
import type { OAuth2Template } from "../../auth/AuthTemplate.ts"
import type { OAuthQuirks } from "../../auth/OAuthQuirks.ts"
import type { ConnectionKey } from "../../connection/ConnectionRef.ts"
import type { CredentialProviderNotRegisteredError, ProviderError } from "../../credential/CredentialError.ts"
import { quote } from "../../error/KeywardError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity, Owner } from "../../identity/Identity.ts"
import type { IntegrationRecord } from "../../integration/Integration.ts"
import { IntegrationNotFoundError } from "../../integration/IntegrationError.ts"
import type { OAuthClientRecord } from "../../oauth/OAuthClient.ts"
import { OAuthStartError } from "../../oauth/OAuthError.ts"
import { announce } from "../announce.ts"
import type { Resources } from "../Resources.ts"
import { clientKeyOf, loadClient, type LoadedClient } from "./loadClient.ts"
import { quirksOf } from "./quirksOf.ts"

/** See the file's header. */
export interface OAuthFlow {
  readonly identity: Identity
  readonly key: ConnectionKey
  readonly integration: IntegrationRecord
  readonly template: OAuth2Template
  readonly client: LoadedClient
  /** The template's, and over them the client's. */
  readonly quirks: OAuthQuirks
}

/** What naming a flow needs. */
export interface FlowNames {
  readonly client: string
  readonly clientOwner: Owner
  readonly template: string
}

/** What finding the records of a flow can fail with. */
export type FindFlowError =
  | OAuthStartError
  | IntegrationNotFoundError
  | StoreUnavailableError
  | ProviderError
  | CredentialProviderNotRegisteredError

/** Finds a flow's records; fails with the one that is not there or does not fit. */
export const findFlow = (
  resources: Resources,
  identity: Identity,
  key: ConnectionKey,
  { client: slug, clientOwner, template: templateSlug }: FlowNames,
): Effect.Effect<OAuthFlow, FindFlowError> =>
  Effect.gen(function* () {
    if (clientOwner !== "org" && clientOwner !== "user") {
      return yield* startFailure("client_not_found", 'clientOwner must be "org" or "user".')
    }
    // What one person registered is not the organisation's to depend on.
    if (key.owner === "org" && clientOwner !== "org") {
      return yield* startFailure("owner_mismatch", "an organisation's connection needs an organisation's OAuth app.")
    }
    const integration = yield* resources.store.integrations.get(key.tenant, key.integration)
    if (integration === undefined)
      return yield* Effect.fail(new IntegrationNotFoundError({ integration: key.integration }))
    const template = integration.authTemplates.find((one) => one.slug === templateSlug)
    if (template?.type !== "oauth2") {
      const declared = integration.authTemplates.filter(({ type }) => type === "oauth2").map((one) => quote(one.slug))
      return yield* startFailure(
        template === undefined ? "template_not_found" : "template_not_oauth2",
        `${quote(templateSlug)} is not an oauth2 template of ${quote(integration.slug)} (declared: ${declared.join(", ") || "none"}).`,
      )
    }
    const client = yield* loadClient(resources, clientKeyOf(key, clientOwner, slug))
    if (client === undefined) {
      return yield* startFailure(
        "client_not_found",
        `there is no OAuth app ${quote(slug)} of the owner ${quote(clientOwner)}. Create it with oauth.createClient.`,
      )
    }
    return { identity, key, integration, template, client, quirks: quirksOf(template, client.record) }
  })

/** Tells the host how a flow goes. */
export const announceFlow = (
  resources: Resources,
  identity: Identity,
  key: ConnectionKey,
  { slug, owner, grant }: Pick<OAuthClientRecord, "slug" | "owner" | "grant">,
  event:
    | { readonly type: "oauth.started" | "oauth.completed" | "oauth.cancelled" }
    | { readonly type: "oauth.failed"; readonly reason: string },
): void => announce(resources, identity, key, { ...event, client: slug, clientOwner: owner, grant })

/** A flow that cannot be started. */
export const startFailure = (reason: string, fault: string, retryable = false): Effect.Effect<never, OAuthStartError> =>
  Effect.fail(new OAuthStartError({ reason, fault, retryable }))
