/**
 * `oauth.cancel`: forgets a flow, its device code and its verifier with it.
 */
import * as Effect from "effect/Effect"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { Resources } from "../Resources.ts"
import { announceFlow } from "./OAuthFlow.ts"
import { sessionKey } from "./openSession.ts"
import { protocolOf } from "./protocol.ts"

/** Ends the caller's flow of that state. There being none is what was asked for; somebody else's is left alone. */
export const cancelFlow = (
  resources: Resources,
  identity: Identity,
  state: unknown,
): Effect.Effect<void, StoreUnavailableError> =>
  Effect.gen(function* () {
    const { sessions } = resources.store.oauth
    const { hashState } = yield* protocolOf(resources)
    const session = typeof state === "string" ? yield* sessions.get(identity.tenant, hashState(state)) : undefined
    if (session === undefined || session.startedBy !== identity.subject) return
    if ((yield* sessions.take(session.tenant, session.stateHash)) === undefined) return
    const { client: slug, clientOwner: owner, grant } = session
    announceFlow(
      resources,
      identity,
      sessionKey(identity, session),
      { slug, owner, grant },
      { type: "oauth.cancelled" },
    )
  })
