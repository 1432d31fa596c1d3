/**
 * Begins a device flow (RFC 8628): what a person types in where, and what is needed to ask whether they have.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Resources } from "../Resources.ts"
import { isRetryableFailure } from "./isRetryableFailure.ts"
import { keepSession } from "./newSession.ts"
import { startFailure } from "./OAuthFlow.ts"
import type { StartingFlow, StartOAuthError, StartOAuthResult } from "./StartingFlow.ts"

/** See the file's header. */
export const startDevice = (
  resources: Resources,
  flow: StartingFlow,
): Effect.Effect<StartOAuthResult, StartOAuthError> =>
  Effect.gen(function* () {
    const { protocol, server, client, template, quirks, scope, resource } = flow
    const answer = yield* Effect.catch(
      protocol.requestDeviceAuthorization({
        http: protocol.http,
        server,
        client: client.credential,
        scope,
        resource,
        quirks,
        params: { ...template.authorizationParams, ...client.record.authorizationParams },
      }),
      (failure) => startFailure("device_request_failed", failure.message, isRetryableFailure(failure)),
    )
    const { state, stateHash } = protocol.newState()
    const dpop = flow.dpop ? yield* protocol.makeDpopKey() : undefined
    const { expiresAt, interval, userCode, verificationUri, verificationUriComplete } = answer
    const kept = yield* keepSession(resources, flow, {
      state,
      stateHash,
      secrets: { deviceCode: answer.deviceCode, dpopKey: dpop?.privateJwk },
      redirectUri: null,
      expiresAt,
      device: { interval, nextPollAt: (yield* Clock.currentTimeMillis) + interval * 1000 },
    })
    return {
      status: "device",
      state: kept,
      userCode,
      verificationUri,
      ...(verificationUriComplete === null ? {} : { verificationUriComplete }),
      expiresAt,
      interval,
    } as const
  })
