/**
 * What a flow under way seals can be opened by its state and by nothing else, and looks like nothing to whoever reads a store.
 */
import { hkdfSync } from "node:crypto"
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import { CompactEncrypt } from "jose"
import { describe, expect, it } from "vitest"
import { newState } from "../../src/oauth/AuthorizationRequest.ts"
import { OAuthSessionNotFoundError } from "../../src/oauth/OAuthError.ts"
import { sealSecrets, unsealSecrets, type WrappedSessionSecrets } from "../../src/oauth/sealedSession.ts"

const seal = (state: Redacted.Redacted | string, secrets: WrappedSessionSecrets): Promise<string> =>
  Effect.runPromise(sealSecrets(state, secrets))

const unseal = (state: Redacted.Redacted | string, sealed: string): Promise<WrappedSessionSecrets> =>
  Effect.runPromise(unsealSecrets(state, sealed))

const refusal = (state: Redacted.Redacted | string, sealed: string): Promise<OAuthSessionNotFoundError> =>
  Effect.runPromise(Effect.flip(unsealSecrets(state, sealed)))

const clear = (secrets: WrappedSessionSecrets): Record<string, string> =>
  Object.fromEntries(
    Object.entries(secrets).map(([name, secret]) => [name, secret === undefined ? "" : Redacted.value(secret)]),
  )

describe("sealed session secrets", () => {
  it("come back wrapped for the state they were sealed with, given wrapped or as text", async () => {
    const { state } = newState()
    const plain = { codeVerifier: canary("verifier"), deviceCode: canary("device"), dpopKey: '{"kty":"EC"}' }
    const sealed = await seal(state, {
      codeVerifier: Redacted.make(plain.codeVerifier),
      deviceCode: Redacted.make(plain.deviceCode),
      dpopKey: Redacted.make(plain.dpopKey),
    })
    expect(clear(await unseal(state, sealed))).toEqual(plain)
    expect(clear(await unseal(Redacted.value(state), sealed))).toEqual(plain)
  })

  it("leaves out what a flow does not have", async () => {
    const { state } = newState()
    expect(await unseal(state, await seal(state, { codeVerifier: undefined }))).toEqual({})
  })

  it("brings back any text", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "binary" }),
        fc.string({ unit: "binary", minLength: 1 }),
        async (state, text) => {
          const wellFormed = text.toWellFormed()
          const opened = await unseal(state, await seal(state, { deviceCode: Redacted.make(wellFormed) }))
          expect(clear(opened)).toEqual({ deviceCode: wellFormed })
        },
      ),
      { numRuns: 50 },
    )
  })

  it("are one flat text without a secret in it, never twice the same", async () => {
    const verifier = canary("verifier")
    const { state } = newState()
    const texts = await Promise.all([1, 2].map(() => seal(state, { codeVerifier: Redacted.make(verifier) })))
    new CanaryScanner([verifier, Redacted.value(state)]).expectNone(texts, "the sealed texts")
    expect(texts[0]).not.toBe(texts[1])
    for (const text of texts) expect(text).toMatch(/^[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/)
  })

  it("do not open under another state, and the refusal holds no secret", async () => {
    const verifier = canary("verifier")
    const { state } = newState()
    const other = newState().state
    const sealed = await seal(state, { codeVerifier: Redacted.make(verifier) })
    const error = await refusal(other, sealed)
    expect(error).toBeInstanceOf(OAuthSessionNotFoundError)
    new CanaryScanner([verifier, Redacted.value(state), Redacted.value(other)]).expectNone(error, "the refusal")
  })

  it("do not open when any character was changed or the end was cut off", async () => {
    const { state } = newState()
    const sealed = await seal(state, { codeVerifier: Redacted.make(canary("verifier")) })
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: sealed.length - 2 }), fc.boolean(), async (at, isCut) => {
        const other = sealed[at] === "A" ? "B" : "A"
        const spoilt = isCut ? sealed.slice(0, at) : `${sealed.slice(0, at)}${other}${sealed.slice(at + 1)}`
        // The last character of a part can carry bits that base64url ignores; a decoder may take either spelling.
        fc.pre(isCut || !/^(\.|$)/.test(sealed.slice(at + 1)))
        expect(await refusal(state, spoilt)).toBeInstanceOf(OAuthSessionNotFoundError)
      }),
      { numRuns: 100 },
    )
  })

  it("do not open when the payload was sealed with the right key and is not ours", async () => {
    const secret = canary("payload")
    const key = new Uint8Array(hkdfSync("sha256", "the state", "", "keyward oauth session 1", 32))
    const encrypted = (text: string): Promise<string> =>
      new CompactEncrypt(new TextEncoder().encode(text)).setProtectedHeader({ alg: "dir", enc: "A256GCM" }).encrypt(key)
    for (const payload of [`{"codeVerifier":{"is":"${secret}"}}`, secret, "[]", "null"]) {
      const error = await refusal("the state", await encrypted(payload))
      expect(error).toBeInstanceOf(OAuthSessionNotFoundError)
      new CanaryScanner([secret]).expectNone(error, "the refusal")
    }
  })
})
