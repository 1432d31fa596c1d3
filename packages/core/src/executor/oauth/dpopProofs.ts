/**
 * Sends a token that is bound to a key: under the scheme `DPoP`, with a proof made for the one request.
 *
 * [RFC 9449](https://www.rfc-editor.org/rfc/rfc9449). The key is an item beside the tokens. A server's nonce is remembered per origin;
 * a request that was turned down for want of one is sent once more. Never falls back to a bearer token.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { RequestAuthorizer, WireRequest } from "../../http/Wire.ts"
import type { DpopKey } from "../../oauth/Dpop.ts"
import { providerFailure } from "../authorize/CredentialResolver.ts"
import type { Resources } from "../Resources.ts"
import type { GrantedRow } from "./GrantedConnection.ts"
import type { ProofOfPossession } from "./ProofOfPossession.ts"
import { type Protocol, protocolOf } from "./protocol.ts"
import { reauthRequired } from "./refreshFailures.ts"
import { dpopItemId } from "./tokenItems.ts"

/** The proofs of one connection. `pendingKey` is the key of one that is about to be made, of which nothing is stored yet. */
export const dpopProofs = (
  resources: Resources,
  row: GrantedRow,
  pendingKey?: Redacted.Redacted,
): ProofOfPossession => {
  // Known once a request was bound, and no answer comes before that.
  let protocol: Protocol | undefined
  return {
    bind: (authorizer, values) =>
      Effect.gen(function* () {
        const loaded = (protocol = yield* protocolOf(resources))
        const nonces = loaded.noncesOf(loaded.http)
        const stored = Effect.mapError(resources.providers.read(row.provider, dpopItemId(row)), (error) =>
          providerFailure(row, error),
        )
        const jwk = pendingKey ?? (yield* stored)
        if (jwk === undefined) return yield* Effect.fail(reauthRequired(row, "dpop_key_missing"))
        const key = yield* Effect.catchDefect(keyOf(loaded, jwk), () =>
          Effect.fail(reauthRequired(row, "dpop_key_missing")),
        )
        const now = yield* Clock.currentTimeMillis
        return proving(authorizer, ({ method, url }) => {
          const accessToken = values.get("token")
          const nonce = nonces.nonceFor(url)
          return loaded.dpopProof(key, {
            method,
            url: url.href,
            now,
            ...(accessToken === undefined ? {} : { accessToken }),
            ...(nonce === undefined ? {} : { nonce }),
          })
        })
      }),
    heed: (url, response) => {
      if (protocol === undefined) return false
      protocol.noncesOf(protocol.http).note(url, response.headers)
      // Also when the nonce is known by now: another request may have brought it since this one left.
      return response.status === 401 && protocol.isNonceDemanded(response, undefined)
    },
  }
}

const proving = (
  authorizer: RequestAuthorizer,
  proof: (request: Pick<WireRequest, "method" | "url">) => string,
): RequestAuthorizer => ({
  authorize: (request) => {
    const authorized = authorizer.authorize(request)
    const authorization = authorized.headers["authorization"] ?? ""
    const headers = {
      ...authorized.headers,
      authorization: authorization.replace(/^Bearer /, "DPoP "),
      dpop: proof(request),
    }
    return { ...authorized, headers }
  },
  places: (header) => header === "dpop" || authorizer.places(header),
  carries: (text) => authorizer.carries(text),
  redact: (text) => authorizer.redact(text),
})

/** A key is read from its text once for as long as the provider hands out the same wrapper. */
const keyOf = (protocol: Protocol, jwk: Redacted.Redacted): Effect.Effect<DpopKey> => {
  const known = keys.get(jwk)
  if (known !== undefined) return Effect.succeed(known)
  return Effect.tap(protocol.readDpopKey(jwk), (key) => Effect.sync(() => keys.set(jwk, key)))
}

const keys = new WeakMap<Redacted.Redacted, DpopKey>()
