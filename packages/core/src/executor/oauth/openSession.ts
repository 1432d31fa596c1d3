/**
 * Finds the flow of a state for the caller who says that it is theirs.
 *
 * A flow belongs to the identity that started it. Another subject of the same tenant who comes with its state has been sent there by
 * somebody: the flow is burned before any request is made. To another tenant there is no such flow.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type ConnectionKey } from "../../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import { type Identity, subjectOf } from "../../identity/Identity.ts"
import { OAuthCompleteError, OAuthSessionNotFoundError } from "../../oauth/OAuthError.ts"
import type { OAuthSessionRecord } from "../../oauth/OAuthSession.ts"
import type { Resources } from "../Resources.ts"
import { announceFlow } from "./OAuthFlow.ts"
import type { Protocol } from "./protocol.ts"

/** Why there is no flow for this caller. */
export type OpenSessionError = OAuthSessionNotFoundError | OAuthCompleteError | StoreUnavailableError

/** The session of a state, still stored. */
export const openSession = (
  resources: Resources,
  protocol: Protocol,
  identity: Identity,
  state: unknown,
): Effect.Effect<OAuthSessionRecord, OpenSessionError> =>
  Effect.gen(function* () {
    const { sessions } = resources.store.oauth
    const session =
      typeof state === "string" ? yield* sessions.get(identity.tenant, protocol.hashState(state)) : undefined
    if (session === undefined) return yield* Effect.fail(new OAuthSessionNotFoundError())
    if (session.startedBy !== identity.subject) {
      return yield* burn(
        resources,
        identity,
        session,
        "identity_mismatch",
        "somebody else started this flow. It was ended; begin again.",
      )
    }
    if ((yield* Clock.currentTimeMillis) >= session.expiresAt) {
      if (session.device !== null) {
        return yield* burn(
          resources,
          identity,
          session,
          "expired_token",
          "the code ran out before anybody entered it. Begin again.",
        )
      }
      yield* sessions.take(session.tenant, session.stateHash)
      return yield* Effect.fail(new OAuthSessionNotFoundError())
    }
    return session
  })

/** Ends a flow without a connection. */
export const burn = (
  resources: Resources,
  identity: Identity,
  session: OAuthSessionRecord,
  reason: string,
  fault: string,
): Effect.Effect<never, OAuthCompleteError | StoreUnavailableError> =>
  Effect.andThen(
    resources.store.oauth.sessions.take(session.tenant, session.stateHash),
    flowFailure(resources, identity, session, new OAuthCompleteError({ reason, fault, retryable: false })),
  )

/** Tells the host of a flow that failed, and fails. */
export const flowFailure = (
  resources: Resources,
  identity: Identity,
  session: OAuthSessionRecord,
  error: OAuthCompleteError,
): Effect.Effect<never, OAuthCompleteError> =>
  Effect.suspend(() => {
    const { client: slug, clientOwner: owner, grant } = session
    announceFlow(
      resources,
      identity,
      sessionKey(identity, session),
      { slug, owner, grant },
      {
        type: "oauth.failed",
        reason: error.reason,
      },
    )
    return Effect.fail(error)
  })

/** The connection that a flow is for. */
export const sessionKey = (identity: Identity, session: OAuthSessionRecord): ConnectionKey => ({
  tenant: session.tenant,
  subject: subjectOf(identity, session.owner),
  owner: session.owner,
  integration: session.integration,
  name: session.name,
})
