/**
 * A small resource server that takes DPoP as RFC 9449 has it: tokens of one authorization server, proofs verified with jose.
 */
import { createHash } from "node:crypto"
import { type FakeUpstream, fakeUpstream, type UpstreamRequest } from "@keyward/core/testing"
import { calculateJwkThumbprint, createRemoteJWKSet, EmbeddedJWK, jwtVerify } from "jose"

/** A running resource server. */
export interface DpopResource extends AsyncDisposable {
  readonly upstream: FakeUpstream
  /** Why requests were turned down, in order; `ok` for those that were not. */
  readonly verdicts: ReadonlyArray<string>
  /** From now on proofs need this nonce; `undefined`: none. */
  demandNonce(nonce: string | undefined): void
  /** Whose tokens are taken. */
  trust(issuer: string): void
}

/** Starts one. */
export const dpopResource = async (): Promise<DpopResource> => {
  const verdicts: Array<string> = []
  const used = new Set<string>()
  let nonce: string | undefined
  let keys: ReturnType<typeof createRemoteJWKSet> | undefined
  const judge = async (request: UpstreamRequest): Promise<string> => {
    const [scheme, token = ""] = (request.headers.authorization ?? "").split(" ")
    if (scheme !== "DPoP") return `scheme ${scheme === "" ? "missing" : scheme}`
    const { dpop } = request.headers
    if (typeof dpop !== "string" || dpop.includes(",")) return "one proof is needed"
    const proof = await jwtVerify(dpop, EmbeddedJWK, { typ: "dpop+jwt", algorithms: ["ES256"], maxTokenAge: 60 })
    const { jti, htm, htu, ath, nonce: given } = proof.payload
    if (proof.protectedHeader.jwk === undefined || "d" in proof.protectedHeader.jwk) return "a private key was sent"
    if (htm !== request.method) return `htm ${String(htm)}`
    if (htu !== `${upstream.origin}${request.path}`) return `htu ${String(htu)}`
    if (ath !== createHash("sha256").update(token).digest("base64url")) return "ath"
    if (jti === undefined || used.has(jti)) return "jti"
    used.add(jti)
    if (given !== nonce) return "nonce"
    if (keys === undefined) return "nobody is trusted"
    const access = await jwtVerify(token, keys)
    const { jkt } = (access.payload["cnf"] ?? {}) as { readonly jkt?: unknown }
    return jkt === (await calculateJwkThumbprint(proof.protectedHeader.jwk)) ? "ok" : "jkt"
  }
  const upstream = await fakeUpstream(async (request) => {
    const verdict = await judge(request).catch((error: unknown) => String((error as { readonly code?: string }).code))
    verdicts.push(verdict)
    if (verdict === "ok") return { json: { took: request.method } }
    const error = verdict === "nonce" ? "use_dpop_nonce" : "invalid_token"
    return {
      status: 401,
      headers: {
        "www-authenticate": `DPoP error="${error}", algs="ES256"`,
        ...(nonce !== undefined && { "dpop-nonce": nonce }),
      },
      json: { error },
    }
  })
  return {
    upstream,
    verdicts,
    demandNonce: (next) => {
      nonce = next
    },
    trust: (issuer) => {
      keys = createRemoteJWKSet(new URL("/jwks", issuer))
    },
    [Symbol.asyncDispose]: () => upstream.close(),
  }
}
