/**
 * `oauth.poll`: asks whether a person has finished a device flow (RFC 8628, section 3.4), no sooner than the server allows.
 *
 * When the next question may be asked is on record before each question leaves, so that two who ask at once, and one who comes back
 * after a restart, obey the same clock.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Connection } from "../../connection/Connection.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import { OAuthCompleteError, OAuthSessionNotFoundError } from "../../oauth/OAuthError.ts"
import type { OAuthSessionRecord } from "../../oauth/OAuthSession.ts"
import type { TokenRequestError } from "../../oauth/tokenFailure.ts"
import type { Resources } from "../Resources.ts"
import type { CompleteOAuthError } from "./completeFlow.ts"
import { disown, mintConnection, type Obtained, type Restore } from "./mintConnection.ts"
import type { OAuthFlow } from "./OAuthFlow.ts"
import { burn, openSession } from "./openSession.ts"
import { type Protocol, protocolOf } from "./protocol.ts"
import { resumeFlow } from "./resumeFlow.ts"

/** How a device flow stands. */
export type PollOAuthResult =
  | {
      readonly status: "pending"
      /** When to ask again, epoch milliseconds; asking earlier makes no request. */
      readonly nextPollAt: number
    }
  | { readonly status: "connected"; readonly connection: Connection }

interface DeviceSession extends OAuthSessionRecord {
  readonly device: NonNullable<OAuthSessionRecord["device"]>
}

/** See the file's header. */
export const pollFlow = (
  resources: Resources,
  identity: Identity,
  state: string,
): Effect.Effect<PollOAuthResult, CompleteOAuthError> =>
  Effect.gen(function* () {
    const protocol = yield* protocolOf(resources)
    const session = yield* openSession(resources, protocol, identity, state)
    if (!isDevice(session)) {
      return yield* Effect.fail(
        new OAuthCompleteError({
          reason: "not_a_device_flow",
          fault: "this is the state of a redirect flow; finish it with oauth.complete.",
          retryable: false,
        }),
      )
    }
    if ((yield* Clock.currentTimeMillis) < session.device.nextPollAt) return pending(session.device.nextPollAt)
    return yield* Effect.uninterruptibleMask((restore) => ask(resources, protocol, identity, state, session, restore))
  })

const isDevice = (session: OAuthSessionRecord): session is DeviceSession => session.device !== null

const pending = (nextPollAt: number): PollOAuthResult => ({ status: "pending", nextPollAt })

const ask = (
  resources: Resources,
  protocol: Protocol,
  identity: Identity,
  state: string,
  session: DeviceSession,
  restore: Restore,
): Effect.Effect<PollOAuthResult, CompleteOAuthError> =>
  Effect.gen(function* () {
    const { sessions } = resources.store.oauth
    const { interval } = session.device
    const now = yield* Clock.currentTimeMillis
    const claimed = yield* reschedule(resources, session, { interval, nextPollAt: now + interval * 1000 })
    if (claimed === undefined) {
      const current = yield* sessions.get(session.tenant, session.stateHash)
      if (current === undefined) return yield* Effect.fail(new OAuthSessionNotFoundError())
      return pending(current.device?.nextPollAt ?? now + interval * 1000)
    }
    const flow = yield* resumeFlow(resources, identity, claimed)
    const secrets = yield* protocol.unsealSecrets(state, claimed.sealed)
    const { deviceCode, dpopKey } = secrets
    if (deviceCode === undefined) return yield* Effect.fail(new OAuthSessionNotFoundError())
    const dpop = dpopKey === undefined ? undefined : yield* protocol.readDpopKey(dpopKey)
    const { resource } = claimed
    const { tokenUrl } = claimed.server
    const context = { http: protocol.http, tokenUrl, client: flow.client.credential, quirks: flow.quirks, dpop }
    const answer = yield* Effect.result(protocol.requestTokens(context, { type: "device_code", deviceCode, resource }))
    if (Result.isFailure(answer)) return yield* unfinished(resources, protocol, identity, claimed, answer.failure)
    const obtained: Obtained = {
      tokens: answer.success,
      server: claimed.server,
      resource,
      requestedScope: claimed.requestedScope,
      confirmedOrigins: claimed.confirmedOrigins,
      dpopKey,
      assertionSubject: null,
      stepUps: claimed.stepUps,
      identityLabel: claimed.identityLabel,
    }
    return yield* finish(resources, flow, claimed, obtained, restore)
  })

/** Whoever takes the session makes the connection; one that was cancelled meanwhile makes none. */
const finish = (
  resources: Resources,
  flow: OAuthFlow,
  session: DeviceSession,
  obtained: Obtained,
  restore: Restore,
): Effect.Effect<PollOAuthResult, CompleteOAuthError> =>
  Effect.gen(function* () {
    const { sessions } = resources.store.oauth
    const taken = yield* Effect.onError(sessions.take(session.tenant, session.stateHash), () =>
      disown(resources, flow, obtained),
    )
    if (taken === undefined) {
      yield* disown(resources, flow, obtained)
      return yield* Effect.fail(new OAuthSessionNotFoundError())
    }
    const connection = yield* mintConnection(resources, flow, obtained, restore)
    return { status: "connected", connection } as const
  })

const unfinished = (
  resources: Resources,
  protocol: Protocol,
  identity: Identity,
  session: DeviceSession,
  failure: TokenRequestError,
): Effect.Effect<PollOAuthResult, CompleteOAuthError> =>
  Effect.gen(function* () {
    switch (failure.kind) {
      case "pending":
      case "transient":
      case "not_sent":
      case "ambiguous": {
        const device = protocol.nextPoll(session.device, failure, yield* Clock.currentTimeMillis)
        // Somebody who writes it at the same time cancels it, and the next question finds that.
        yield* reschedule(resources, session, device)
        return pending(device.nextPollAt)
      }
      case "denied":
        return yield* burn(
          resources,
          identity,
          session,
          "access_denied",
          "the person said no. An existing connection is as it was.",
        )
      case "expired":
        return yield* burn(
          resources,
          identity,
          session,
          "expired_token",
          "the code ran out before anybody entered it. Begin again.",
        )
      default:
        return yield* burn(resources, identity, session, "token_request_failed", `${failure.message} Begin again.`)
    }
  })

/** Writes when the next question may be asked; `undefined` when somebody else has written the session first. */
const reschedule = (
  resources: Resources,
  session: DeviceSession,
  device: DeviceSession["device"],
): Effect.Effect<DeviceSession | undefined, StoreUnavailableError> => {
  const next = { ...session, device, version: session.version + 1 }
  return Effect.map(resources.store.oauth.sessions.put(next, session.version), (isWritten) =>
    isWritten ? next : undefined,
  )
}
