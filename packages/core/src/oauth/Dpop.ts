/**
 * Proofs of possession: RFC 9449, with ES256.
 *
 * Used at the token endpoint and, synchronously, when a request to a resource is authorized. The private key is part of the
 * credential: tokens are bound to it and are worth nothing without it. Sees that key, and the access token that a proof names,
 * in clear.
 */
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomUUID,
  sign,
} from "node:crypto"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { parseChallenges } from "./Challenge.ts"
import type { OAuthHttp, OAuthResponse } from "./OAuthHttp.ts"

/** A key that tokens are bound to. */
export interface DpopKey {
  /** A private JWK as JSON, to be stored with the tokens. */
  readonly privateJwk: Redacted.Redacted
  /** RFC 7638, SHA-256: what `dpop_jkt` and `cnf.jkt` hold. */
  readonly thumbprint: string
}

/** What a proof is for. */
export interface DpopProofInput {
  readonly method: string
  /** Query and fragment are left out of the proof. */
  readonly url: string | URL
  /** The token that goes with the request to a resource; absent at the token endpoint. */
  readonly accessToken?: Redacted.Redacted | undefined
  /** The newest one that the server of this origin gave. */
  readonly nonce?: string | undefined
  /** Epoch milliseconds. */
  readonly now: number
}

/** A new key. One per connection: shared keys would link accounts. */
export const makeDpopKey = (): Effect.Effect<DpopKey> =>
  Effect.sync(() => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
    return keep(privateKey, Redacted.make(JSON.stringify(privateKey.export({ format: "jwk" }))))
  })

/** Reads a stored key. Dies, without a word of the text, when it is no private P-256 key: Keyward wrote it. */
export const readDpopKey = (privateJwk: Redacted.Redacted): Effect.Effect<DpopKey> =>
  Effect.try({
    try: () => keep(privateKeyOf(Redacted.value(privateJwk)), privateJwk),
    // What the platform throws may quote the key.
    catch: () => new Error("The stored DPoP key is no private P-256 JWK. Connect the account again."),
  }).pipe(Effect.orDie)

/** A fresh proof for one request (section 4.2), as the value of its `DPoP` header. */
export const dpopProof = (key: DpopKey, { method, url, accessToken, nonce, now }: DpopProofInput): string => {
  const { signer, publicJwk } = loadedKey(key)
  const { origin, pathname } = new URL(url)
  const header = { alg: "ES256", typ: "dpop+jwt", jwk: publicJwk }
  const claims = {
    jti: randomUUID(),
    htm: method,
    htu: `${origin}${pathname}`,
    iat: Math.floor(now / 1000),
    ...(nonce !== undefined && { nonce }),
    ...(accessToken !== undefined && { ath: sha256(Redacted.value(accessToken)) }),
  }
  const input = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}`
  const signature = sign("sha256", Buffer.from(input), { key: signer, dsaEncoding: "ieee-p1363" })
  return `${input}.${signature.toString("base64url")}`
}

/** Whether a server wants the request again, with a proof that holds the nonce it gave (section 8). */
export const isNonceDemanded = (
  { status, headers }: Pick<OAuthResponse, "status" | "headers">,
  errorCode: string | undefined,
): boolean =>
  status >= 400 &&
  status < 500 &&
  headers["dpop-nonce"] !== undefined &&
  (errorCode === "use_dpop_nonce" ||
    parseChallenges(headers["www-authenticate"] ?? "").some(
      ({ scheme, parameters }) => scheme === "dpop" && parameters.get("error") === "use_dpop_nonce",
    ))

/** The newest nonce of each origin, the most recently used hundred of them. Nonces are no secrets. */
export class DpopNonces {
  readonly #nonces = new Map<string, string>()

  /** The nonce to put into the next proof for this URL's origin. */
  nonceFor(url: string | URL): string | undefined {
    const { origin } = new URL(url)
    const nonce = this.#nonces.get(origin)
    if (nonce !== undefined) this.#put(origin, nonce)
    return nonce
  }

  /** Takes note of the nonce that a response of this URL's origin carries; of any response, good or bad (section 8.2). */
  note(url: string | URL, headers: Readonly<Record<string, string>>): void {
    const nonce = headers["dpop-nonce"]
    if (nonce !== undefined && nonceSyntax.test(nonce)) this.#put(new URL(url).origin, nonce)
  }

  #put(origin: string, nonce: string): void {
    this.#nonces.delete(origin)
    this.#nonces.set(origin, nonce)
    const oldest = this.#nonces.size > mostOrigins ? this.#nonces.keys().next().value : undefined
    if (oldest !== undefined) this.#nonces.delete(oldest)
  }
}

/** The nonces of servers, of those that mint tokens and those that take them, kept for as long as the way to them. */
export const noncesOf = (http: OAuthHttp): DpopNonces => {
  const known = nonces.get(http)
  if (known !== undefined) return known
  const fresh = new DpopNonces()
  nonces.set(http, fresh)
  return fresh
}

const nonces = new WeakMap<OAuthHttp, DpopNonces>()
const mostOrigins = 100
const nonceSyntax = /^[\x21\x23-\x5b\x5d-\x7e]{1,1024}$/

interface LoadedKey {
  readonly signer: KeyObject
  readonly publicJwk: { readonly kty: "EC"; readonly crv: "P-256"; readonly x: string; readonly y: string }
}

/** Parsing a key takes longer than signing with it. */
const loadedKeys = new WeakMap<DpopKey, LoadedKey>()

const loadedKey = (key: DpopKey): LoadedKey => {
  const loaded = loadedKeys.get(key) ?? load(privateKeyOf(Redacted.value(key.privateJwk)))
  loadedKeys.set(key, loaded)
  return loaded
}

const keep = (privateKey: KeyObject, privateJwk: Redacted.Redacted): DpopKey => {
  const loaded = load(privateKey)
  const { crv, kty, x, y } = loaded.publicJwk
  const key = { privateJwk, thumbprint: sha256(JSON.stringify({ crv, kty, x, y })) }
  loadedKeys.set(key, loaded)
  return key
}

const load = (signer: KeyObject): LoadedKey => {
  const { kty, crv, x, y } = signer.export({ format: "jwk" })
  if (kty !== "EC" || crv !== "P-256" || x === undefined || y === undefined) throw new Error("This is no P-256 key.")
  return { signer, publicJwk: { kty, crv, x, y } }
}

const privateKeyOf = (text: string): KeyObject =>
  createPrivateKey({ key: JSON.parse(text) as JsonWebKey, format: "jwk" })

const sha256 = (text: string): string => createHash("sha256").update(text).digest("base64url")

const base64url = (text: string): string => Buffer.from(text).toString("base64url")
