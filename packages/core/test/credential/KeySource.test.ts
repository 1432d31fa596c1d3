/** Secrets with which providers encrypt: what is accepted, which derivation fits which, and that no failure repeats a key. */
import { InvalidProviderOptionsError } from "@keyward/core"
import { type EncryptionSecret, keySource } from "@keyward/core/effect"
import { canary, CanaryScanner } from "@keyward/core/testing"
import { describe, expect, it } from "vitest"

const bytes = Buffer.alloc(32, 7)
const passphrase = "correct horse battery staple"

/** A source whose keys are their own material, and how often one was made. */
const sourceOf = (secret: EncryptionSecret) => {
  const made: Array<unknown> = []
  const source = keySource("vault", secret, (vault, kdf, material) => {
    made.push(kdf)
    return Promise.resolve({ vault, kdf, material: material.toString("base64") })
  })
  return { source, made }
}

describe("a secret that a provider encrypts with", () => {
  it("is 32 bytes, their base64, or a function that brings either", async () => {
    const text = bytes.toString("base64")
    for (const key of [bytes, text, bytes.toString("base64url"), ` ${text}\n`, () => Promise.resolve(text)]) {
      const { source } = sourceOf({ key })
      expect(await source.create("one")).toEqual({ vault: "one", kdf: { alg: "raw" }, material: text })
      expect(await source.derive("one", { alg: "raw" })).toMatchObject({ material: text })
      expect(await source.derive("one", { alg: "scrypt", N: 2, r: 1, p: 1, salt: "c2FsdA" })).toBeUndefined()
    }
  })

  it("is stretched with a salt of its own, once for the same derivation", async () => {
    const { source, made } = sourceOf({ passphrase })
    const first = await source.create("one")
    expect(await source.derive("one", first.kdf)).toBe(first)
    expect(made).toEqual([expect.objectContaining({ alg: "scrypt", N: 2 ** 17, r: 8, p: 1 })])
    const other = sourceOf({ passphrase })
    expect(await other.source.derive("one", first.kdf)).toEqual(first)
    expect((await other.source.create("one")).material).not.toBe(first.material)
    expect(await source.derive("one", { alg: "raw" })).toBeUndefined()
  })

  it("is refused where it cannot be one", () => {
    for (const secret of [{}, { key: bytes, passphrase }, { key: "short" }, { key: new Uint8Array(31) }]) {
      expect(() => sourceOf(secret as EncryptionSecret)).toThrow(InvalidProviderOptionsError)
    }
    expect(() => sourceOf({ passphrase: "seven77" })).toThrow(/at least 8 characters/)
  })

  it("is repeated by no failure of the function that brings it", async () => {
    const secret = canary("key")
    const scanner = new CanaryScanner([secret])
    for (const key of [() => Promise.resolve(`${secret}, and no key`), () => Promise.reject(new Error(secret))]) {
      const error: unknown = await sourceOf({ key })
        .source.create("one")
        .catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ _tag: "ProviderDeniedError", reason: "invalid_key" })
      scanner.expectNone(error, "the error")
    }
  })
})
