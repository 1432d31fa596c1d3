/**
 * `oauth.complete`: from the callback to the connection, once.
 *
 * In this order: whose flow it is, where the callback arrived, taking the session away from everybody else, who answered (RFC 9207) and
 * what, and only then a request, to the server that the flow was pinned to.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Connection } from "../../connection/Connection.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { CallbackInput } from "../../oauth/AuthorizationResponse.ts"
import { OAuthCompleteError, OAuthSessionNotFoundError } from "../../oauth/OAuthError.ts"
import type { OAuthSessionRecord } from "../../oauth/OAuthSession.ts"
import type { Resources } from "../Resources.ts"
import { mintConnection, type MintError, type Restore } from "./mintConnection.ts"
import { burn, flowFailure, openSession, type OpenSessionError } from "./openSession.ts"
import { type Protocol, protocolOf } from "./protocol.ts"
import { type ResumeError, resumeFlow } from "./resumeFlow.ts"
import { startPaying } from "./RevocationOutbox.ts"

/** What completing a flow can fail with. The flow is over then; a connection of that name is as it was. */
export type CompleteOAuthError = OpenSessionError | ResumeError | MintError

/** See the file's header. */
export const completeFlow = (
  resources: Resources,
  identity: Identity,
  input: CallbackInput,
): Effect.Effect<Connection, CompleteOAuthError> =>
  Effect.gen(function* () {
    const protocol = yield* protocolOf(resources)
    const callback = yield* Effect.fromResult(protocol.readCallback(input))
    const session = yield* openSession(resources, protocol, identity, callback.state)
    if (session.device !== null || session.redirectUri === null) {
      return yield* Effect.fail(
        new OAuthCompleteError({
          reason: "not_a_redirect_flow",
          fault: "this is the state of a device flow; ask with oauth.poll.",
          retryable: false,
        }),
      )
    }
    if (callback.location !== null && !protocol.isAtRedirectUri(callback, session.redirectUri)) {
      return yield* burn(
        resources,
        identity,
        session,
        "redirect_uri_mismatch",
        "the callback arrived at another address than the one of this flow. Nothing was sent; begin again.",
      )
    }
    yield* startPaying(resources, identity.tenant)
    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(resources.store.oauth.sessions.take(session.tenant, session.stateHash), (taken) =>
        taken === undefined
          ? Effect.fail(new OAuthSessionNotFoundError())
          : redeem(resources, protocol, identity, taken, callback, restore),
      ),
    )
  })

const redeem = (
  resources: Resources,
  protocol: Protocol,
  identity: Identity,
  session: OAuthSessionRecord,
  callback: { readonly state: string; readonly parameters: URLSearchParams },
  restore: Restore,
): Effect.Effect<Connection, CompleteOAuthError> =>
  Effect.gen(function* () {
    const flow = yield* resumeFlow(resources, identity, session)
    const secrets = yield* protocol.unsealSecrets(callback.state, session.sealed)
    const answer = protocol.readAuthorizationResponse(callback.parameters, session, flow.quirks)
    if (Result.isFailure(answer)) return yield* Effect.fail(answer.failure)
    const { code, tokenUrl = session.server.tokenUrl } = answer.success
    const { client, quirks } = flow
    const dpop = secrets.dpopKey === undefined ? undefined : yield* protocol.readDpopKey(secrets.dpopKey)
    const context = { http: protocol.http, tokenUrl, client: client.credential, quirks, dpop }
    const { codeVerifier } = secrets
    const { resource, redirectUri } = session
    const tokens = yield* Effect.mapError(
      protocol.requestTokens(context, {
        type: "authorization_code",
        code,
        redirectUri: redirectUri ?? "",
        codeVerifier,
        resource,
      }),
      (failure) =>
        // The code is used up, whatever came of it.
        new OAuthCompleteError({
          reason: "token_request_failed",
          fault: `${failure.message} Begin again.`,
          retryable: false,
        }),
    )
    return yield* mintConnection(
      resources,
      flow,
      {
        tokens,
        server: { ...session.server, tokenUrl },
        resource,
        requestedScope: session.requestedScope,
        confirmedOrigins: session.confirmedOrigins,
        dpopKey: secrets.dpopKey,
        assertionSubject: null,
        stepUps: session.stepUps,
        identityLabel: session.identityLabel,
      },
      restore,
    )
  }).pipe(Effect.catchTag("OAuthCompleteError", (error) => flowFailure(resources, identity, session, error)))
