/**
 * The applications that connections authenticate through: created by hand, listed without their secrets, removed.
 */
import * as Effect from "effect/Effect"
import type { ProviderError } from "../../credential/CredentialError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity, Owner } from "../../identity/Identity.ts"
import { type ClientAuthenticationMethod, type OAuthClient, toOAuthClient } from "../../oauth/OAuthClient.ts"
import { InvalidOAuthClientError } from "../../oauth/OAuthError.ts"
import { commitChange } from "../audit/commitChange.ts"
import { checkedPage } from "../checkedPage.ts"
import type { Resources } from "../Resources.ts"
import { checkClient, clientKey, type CreateOAuthClientInput } from "./clientInput.ts"
import { deleteClientItems } from "./clientItems.ts"
import { forgetRegistration } from "./forgetRegistration.ts"
import { protocolOf } from "./protocol.ts"
import { payBefore } from "./RevocationOutbox.ts"
import { type ClientContent, clientLockOf, saveClient, type SaveClientError } from "./saveClient.ts"

/** What creating a client can fail with. Nothing is stored then. */
export type CreateOAuthClientError = InvalidOAuthClientError | SaveClientError

/** Which clients to list. */
export interface ListOAuthClientsInput {
  readonly owner?: Owner | undefined
  /** At most so many. Default: all. */
  readonly limit?: number | undefined
  /** The last client of the page before. */
  readonly after?: { readonly owner: Owner; readonly slug: string } | undefined
}

/** Creates a client, or replaces the one of the same owner and slug in place. */
export const createOAuthClient = (
  resources: Resources,
  identity: Identity,
  input: CreateOAuthClientInput,
): Effect.Effect<OAuthClient, CreateOAuthClientError> =>
  Effect.flatMap(checkClient(identity, input), ({ content, secrets }) =>
    Effect.flatMap(methodFor(resources, input, content), (tokenEndpointAuthMethod) =>
      resources.exclusively(
        clientLockOf(content),
        Effect.map(saveClient(resources, identity, { ...content, tokenEndpointAuthMethod }, secrets), toOAuthClient),
      ),
    ),
  )

/** How long the metadata is waited for that only says how a secret is to be sent, in milliseconds. */
const patienceMs = 5_000

/** Where nobody says how the secret is to be sent, the server's metadata does (RFC 8414, section 2), if it can be had. */
const methodFor = (
  resources: Resources,
  input: CreateOAuthClientInput,
  { issuer, tokenEndpointAuthMethod: method }: ClientContent,
): Effect.Effect<ClientAuthenticationMethod> => {
  if (issuer === null || input.tokenEndpointAuthMethod !== undefined || method !== "client_secret_basic") {
    return Effect.succeed(method)
  }
  const announced = Effect.map(
    Effect.flatMap(protocolOf(resources), ({ discovery }) => discovery.server(issuer)),
    ({ tokenEndpointAuthMethodsSupported: supported }): ClientAuthenticationMethod =>
      supported?.includes("client_secret_post") === true && !supported.includes(method) ? "client_secret_post" : method,
  )
  return Effect.timeoutOrElse(
    Effect.catch(announced, () => Effect.succeed(method)),
    { duration: patienceMs, orElse: () => Effect.succeed(method) },
  )
}

/** The clients that the caller may use, ordered by owner and slug. */
export const listOAuthClients = (
  resources: Resources,
  identity: Identity,
  input: ListOAuthClientsInput,
): Effect.Effect<ReadonlyArray<OAuthClient>, InvalidOAuthClientError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const { limit } = yield* checkedPage({ limit: input.limit }, invalidInput)
    const { after } = input
    if (after !== undefined && !isPosition(after)) {
      return yield* Effect.fail(
        invalidInput("after", "must be the last client of the page before: its owner and slug."),
      )
    }
    const { tenant, subject } = identity
    const records = yield* resources.store.oauth.clients.list({ tenant, subject, owner: input.owner, after, limit })
    return records.map(toOAuthClient)
  })

/** Hosts hand this through from outside. */
const isPosition = (after: unknown): boolean => {
  const { owner, slug } = (after ?? {}) as { readonly owner?: unknown; readonly slug?: unknown }
  return (owner === "org" || owner === "user") && typeof slug === "string"
}

const invalidInput = (field: string, fault: string): InvalidOAuthClientError =>
  new InvalidOAuthClientError({ field, fault })

/** What removing a client can fail with; it can be repeated then. */
export type RemoveOAuthClientError = InvalidOAuthClientError | StoreUnavailableError | ProviderError

/**
 * Removes a client and what is secret about it; removing what is not there is done already.
 *
 * A dynamic registration is deleted at the server too (RFC 7592), without waiting for that.
 */
export const removeOAuthClient = (
  resources: Resources,
  identity: Identity,
  owner: Owner,
  slug: string,
): Effect.Effect<void, RemoveOAuthClientError> =>
  Effect.flatMap(clientKey(identity, owner, slug), (key) =>
    resources.exclusively(
      clientLockOf(key),
      // A client that is gone can revoke nothing any more.
      Effect.andThen(
        payBefore(resources, identity.tenant),
        Effect.uninterruptible(
          Effect.gen(function* () {
            const { clients } = resources.store.oauth
            const record = yield* clients.get(key)
            if (record === undefined) return
            const forget = yield* forgetRegistration(resources, record)
            yield* deleteClientItems(resources, record, undefined)
            const removed = { type: "oauth.client.removed", client: key.slug, clientOwner: key.owner } as const
            yield* commitChange(resources, identity, clients.remove(key), removed)
            yield* resources.inBackground(forget)
          }),
        ),
      ),
    ),
  )
