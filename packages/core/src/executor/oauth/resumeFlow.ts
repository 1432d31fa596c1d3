/**
 * The records of a flow at its end. Anything may have been changed since its start; the server that it was pinned to may not.
 */
import * as Effect from "effect/Effect"
import type { CredentialProviderNotRegisteredError, ProviderError } from "../../credential/CredentialError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { IntegrationNotFoundError } from "../../integration/IntegrationError.ts"
import { OAuthCompleteError } from "../../oauth/OAuthError.ts"
import type { OAuthSessionRecord } from "../../oauth/OAuthSession.ts"
import type { Resources } from "../Resources.ts"
import { isClientOf } from "./clientServer.ts"
import { findFlow, type OAuthFlow } from "./OAuthFlow.ts"
import { sessionKey } from "./openSession.ts"

/** Why a flow cannot go on. */
export type ResumeError =
  | OAuthCompleteError
  | IntegrationNotFoundError
  | StoreUnavailableError
  | ProviderError
  | CredentialProviderNotRegisteredError

/** See the file's header. */
export const resumeFlow = (
  resources: Resources,
  identity: Identity,
  session: OAuthSessionRecord,
): Effect.Effect<OAuthFlow, ResumeError> =>
  Effect.gen(function* () {
    const { client, clientOwner, template } = session
    const flow = yield* Effect.catchTag(
      findFlow(resources, identity, sessionKey(identity, session), { client, clientOwner, template }),
      "OAuthStartError",
      ({ reason, fault }) => Effect.fail(new OAuthCompleteError({ reason, fault, retryable: false })),
    )
    const { record, credential } = flow.client
    if (isClientOf(record, session.server) && record.grant === session.grant && record.clientId === session.clientId) {
      return { ...flow, client: { record, credential: { ...credential, issuer: session.server.issuer } } }
    }
    return yield* Effect.fail(
      new OAuthCompleteError({
        reason: "client_changed",
        fault: "the OAuth app became another one, of another id, server or grant, since this flow began. Begin again.",
        retryable: false,
      }),
    )
  })
