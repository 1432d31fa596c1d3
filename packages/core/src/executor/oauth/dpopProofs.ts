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
import { providerFailure } from "../CredentialResolver.ts"
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
  const nonces = noncesOf(resources)
  return {
    bind: (authorizer, values) =>
      Effect.gen(function* () {
        const protocol = yield* protocolOf(resources)
        const stored = Effect.mapError(resources.providers.read(row.provider, dpopItemId(row)), (error) =>
          providerFailure(row, error),
        )
        const jwk = pendingKey ?? (yield* stored)
        if (jwk === undefined) return yield* Effect.fail(reauthRequired(row, "dpop_key_missing"))
        const key = yield* Effect.catchDefect(keyOf(protocol, jwk), () =>
          Effect.fail(reauthRequired(row, "dpop_key_missing")),
        )
        const now = yield* Clock.currentTimeMillis
        return proving(authorizer, ({ method, url }) => {
          const accessToken = values.get("token")
          const nonce = nonces.get(url.origin)
          return protocol.dpopProof(key, {
            method,
            url: url.href,
            now,
            ...(accessToken === undefined ? {} : { accessToken }),
            ...(nonce === undefined ? {} : { nonce }),
          })
        })
      }),
    heed: ({ origin }, { status, headers }) => {
      const nonce = headers["dpop-nonce"]
      if (nonce === undefined || !/^[\x21-\x7e]{1,1024}$/.test(nonce)) return false
      nonces.delete(origin)
      nonces.set(origin, nonce)
      if (nonces.size > mostOrigins) {
        const [oldest] = nonces.keys()
        if (oldest !== undefined) nonces.delete(oldest)
      }
      // Also when the nonce is known by now: another request may have brought it since this one left.
      return status === 401 && /\berror\s*=\s*"?use_dpop_nonce\b/i.test(headers["www-authenticate"] ?? "")
    },
  }
}

const mostOrigins = 1000

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

const noncesOf = (resources: Resources): Map<string, string> => {
  const known = nonces.get(resources)
  if (known !== undefined) return known
  const made = new Map<string, string>()
  nonces.set(resources, made)
  return made
}

const nonces = new WeakMap<Resources, Map<string, string>>()
