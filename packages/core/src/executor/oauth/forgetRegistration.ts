/**
 * Deletes a dynamic registration at its server (RFC 7592) when the client is removed: tried once, and waited for by nobody.
 */
import * as Effect from "effect/Effect"
import type { OAuthClientRecord } from "../../oauth/OAuthClient.ts"
import type { Resources } from "../Resources.ts"
import { protocolOf } from "./protocol.ts"

/** Reads what the deletion needs now, while it is there, and answers with the deletion itself. */
export const forgetRegistration = (
  resources: Resources,
  record: OAuthClientRecord,
): Effect.Effect<Effect.Effect<void>> =>
  Effect.gen(function* () {
    const { secretProvider, registrationTokenItem, registration } = record
    const configurationUrl = registration?.configurationUrl ?? null
    if (secretProvider === null || registrationTokenItem === null || configurationUrl === null) return Effect.void
    const token = yield* Effect.catch(
      resources.providers.read(secretProvider, registrationTokenItem),
      () => Effect.undefined,
    )
    if (token === undefined) return Effect.void
    return Effect.ignore(
      Effect.flatMap(protocolOf(resources), (protocol) =>
        protocol.deleteRegistration(protocol.http, configurationUrl, token),
      ),
    )
  })
