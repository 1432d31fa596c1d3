/**
 * The signature under a sealed identity: a JWT (RFC 7519) of a type of its own, signed with a key that its `kid` names.
 *
 * Loaded with the first token. Sees the keys in clear. Which algorithm is right is the key's to say, never the token's.
 */
import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
  randomUUID,
} from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { errors, type JWTHeaderParameters, type JWTPayload, jwtVerify, SignJWT } from "jose"
import { type Identity, type InvalidIdentityError, makeIdentity } from "./Identity.ts"
import {
  checkSealOptions,
  type IdentityKey,
  invalidSeal,
  InvalidSealedIdentityError,
  type InvalidSealOptionsError,
  OpenedIdentity,
  type OpenIdentityOptions,
  type ReplayStore,
  type SealableIdentity,
  type SealIdentityOptions,
} from "./SealedIdentity.ts"

const issuer = "keyward"
const type = "keyward-identity+jwt"
const longestMs = 15 * 60_000

/** Makes a token; see `sealIdentity`. */
export const signIdentity = Effect.fnUntraced(function* (
  input: SealableIdentity,
  options: SealIdentityOptions,
): Effect.fn.Return<string, InvalidSealOptionsError | InvalidIdentityError> {
  yield* checkSealOptions(options)
  const { expiresInMs = 60_000, audience } = options
  if (!(expiresInMs >= 1000 && expiresInMs <= longestMs)) {
    return yield* Effect.fail(invalidSeal("expiresInMs", `must be from 1000 to ${longestMs} milliseconds.`))
  }
  const { tenant, subject } = yield* makeIdentity(input, "")
  const { agent } = input
  // An agent is named as a subject is.
  if (agent !== undefined) yield* makeIdentity({ tenant, subject: agent }, "")
  const [first] = yield* keysOf(options.keys)
  if (first?.sealing === undefined) {
    return yield* Effect.fail(invalidSeal("keys[0]", "only opens; put a secret or a private key first to seal."))
  }
  const { id, algorithm, sealing } = first
  const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
  const claims = { tenant, ...(subject !== null && { sub: subject }), ...(agent !== undefined && { agent }) }
  return yield* Effect.promise(() =>
    new SignJWT(claims as JWTPayload)
      .setProtectedHeader({ alg: algorithm, kid: id, typ: type })
      .setIssuer(issuer)
      .setAudience(audience)
      .setJti(randomUUID())
      .setIssuedAt(now)
      .setExpirationTime(now + Math.ceil(expiresInMs / 1000))
      .sign(sealing),
  )
})

/** Believes a token, or says what is wrong with it; see `openIdentity`. */
export const verifyIdentity = Effect.fnUntraced(function* (
  token: string,
  options: OpenIdentityOptions,
): Effect.fn.Return<OpenedIdentity, InvalidSealedIdentityError | InvalidSealOptionsError> {
  yield* checkSealOptions(options)
  const { audience, clockToleranceMs = 5_000, replays = seenHere } = options
  const keys = yield* keysOf(options.keys)
  const now = yield* Clock.currentTimeMillis
  const payload = yield* Effect.tryPromise({
    try: async () => {
      if (typeof token !== "string" || token.length > longestToken) throw refused("malformed")
      const verified = await jwtVerify(token, (header) => openingKey(keys, header), {
        algorithms: ["HS256", "EdDSA", "ES256"],
        issuer,
        audience,
        typ: type,
        requiredClaims: ["exp", "iat", "jti"],
        clockTolerance: clockToleranceMs / 1000,
        currentDate: new Date(now),
      })
      return verified.payload
    },
    // What jose throws can hold the token's content.
    catch: (error) => (error instanceof InvalidSealedIdentityError ? error : refused(reasonOf(error))),
  })
  const { exp = 0, iat = 0, jti } = payload
  if (iat * 1000 > now + clockToleranceMs) return yield* Effect.fail(refused("not_yet_valid"))
  if ((exp - iat) * 1000 > longestMs) return yield* Effect.fail(refused("lifetime"))
  const identity = yield* identityIn(payload)
  if (typeof jti !== "string" || jti === "" || identity === undefined) return yield* Effect.fail(refused("claims"))
  if (replays !== "allow" && !(yield* remembered(replays, jti, exp * 1000 + clockToleranceMs))) {
    return yield* Effect.fail(refused("replayed"))
  }
  return new OpenedIdentity(identity, exp * 1000)
})

/** Names are 512 characters at most, of up to twelve bytes each in JSON; more is no token of ours. */
const longestToken = 64 * 1024

const refused = (reason: InvalidSealedIdentityError["reason"]): InvalidSealedIdentityError =>
  new InvalidSealedIdentityError({ reason })

const identityIn = ({ tenant, sub, agent }: JWTPayload): Effect.Effect<Identity | undefined> =>
  Effect.catch(
    Effect.gen(function* () {
      if (typeof tenant !== "string") return undefined
      const identity = yield* makeIdentity({ tenant, subject: sub }, "")
      if (agent === undefined) return identity
      if (typeof agent !== "string") return undefined
      yield* makeIdentity({ tenant, subject: agent }, "")
      return { ...identity, agent }
    }),
    () => Effect.undefined,
  )

/** A store of the host that fails has not remembered anything, so nothing is believed on its word. */
const remembered = (replays: ReplayStore, id: string, expiresAt: number): Effect.Effect<boolean> =>
  Effect.catch(
    Effect.tryPromise({
      try: async () => isTrue(await replays.remember(id, expiresAt)),
      catch: () => undefined,
    }),
    () => Effect.succeed(false),
  )

/** Hosts answer what they like. */
const isTrue = (answer: unknown): boolean => answer === true

/** The default of `replays`: what was opened in this process and has not expired. */
class MemoryReplays implements ReplayStore {
  readonly #expiries = new Map<string, number>()
  #sweepAt = 1024

  remember(id: string, expiresAt: number): boolean {
    const now = Date.now()
    if (this.#expiries.size >= this.#sweepAt) {
      for (const [old, until] of this.#expiries) if (until < now) this.#expiries.delete(old)
      this.#sweepAt = Math.max(1024, this.#expiries.size * 2)
    }
    if (this.#expiries.has(id)) return false
    this.#expiries.set(id, expiresAt)
    return true
  }
}

const seenHere = new MemoryReplays()

type Algorithm = "HS256" | "EdDSA" | "ES256"

interface ReadKey {
  readonly id: string
  readonly algorithm: Algorithm
  /** Absent for a public key. */
  readonly sealing: KeyObject | undefined
  readonly opening: KeyObject
}

const openingKey = (keys: ReadonlyArray<ReadKey>, { kid, alg }: JWTHeaderParameters): KeyObject => {
  const key = keys.find(({ id }) => id === kid)
  if (key === undefined) throw refused("unknown_key")
  if (key.algorithm !== alg) throw refused("algorithm")
  return key.opening
}

const reasonOf = (error: unknown): InvalidSealedIdentityError["reason"] => {
  if (error instanceof errors.JWTExpired) return "expired"
  if (error instanceof errors.JWSSignatureVerificationFailed) return "signature"
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) return "algorithm"
  if (!(error instanceof errors.JWTClaimValidationFailed)) return "malformed"
  return error.claim === "aud" ? "audience" : error.claim === "nbf" ? "not_yet_valid" : "claims"
}

/** Reads keys once per list. */
const keysOf = (keys: ReadonlyArray<IdentityKey>): Effect.Effect<ReadonlyArray<ReadKey>, InvalidSealOptionsError> => {
  const known = read.get(keys)
  if (known !== undefined) return Effect.succeed(known)
  return Effect.tap(
    Effect.forEach(keys, (key, index) =>
      Effect.try({
        try: () => readKey(key),
        // What the platform throws may quote the key.
        catch: () =>
          invalidSeal(`keys[${index}]`, "is neither a secret of 32 bytes or more nor an Ed25519 or P-256 key."),
      }),
    ),
    (all) => Effect.sync(() => read.set(keys, all)),
  )
}

const read = new WeakMap<ReadonlyArray<IdentityKey>, ReadonlyArray<ReadKey>>()

const readKey = (key: IdentityKey): ReadKey => {
  const { id } = key
  if ("secret" in key) {
    const material = Redacted.isRedacted(key.secret) ? Redacted.value<string | Uint8Array>(key.secret) : key.secret
    const bytes = typeof material === "string" ? Buffer.from(material, "base64") : material
    if (bytes.length < 32) throw new Error("too short")
    const secret = createSecretKey(bytes)
    return { id, algorithm: "HS256", sealing: secret, opening: secret }
  }
  if ("privateKey" in key) {
    const text = Redacted.isRedacted(key.privateKey) ? Redacted.value(key.privateKey) : key.privateKey
    const sealing = text.trimStart().startsWith("{")
      ? createPrivateKey({ key: JSON.parse(text) as JsonWebKey, format: "jwk" })
      : createPrivateKey(text)
    return { id, algorithm: algorithmOf(sealing), sealing, opening: createPublicKey(sealing) }
  }
  const opening = key.publicKey.trimStart().startsWith("{")
    ? createPublicKey({ key: JSON.parse(key.publicKey) as JsonWebKey, format: "jwk" })
    : createPublicKey(key.publicKey)
  return { id, algorithm: algorithmOf(opening), sealing: undefined, opening }
}

const algorithmOf = (key: KeyObject): Algorithm => {
  if (key.asymmetricKeyType === "ed25519") return "EdDSA"
  if (key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1") return "ES256"
  throw new Error("of another kind")
}
