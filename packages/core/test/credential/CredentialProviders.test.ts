/** The registry: providers by key, each call under a limit, three failures that are never "missing". */
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { ProviderUnavailableError } from "../../src/credential/CredentialError.ts"
import { type CredentialProvider, credentialProvider } from "../../src/credential/CredentialProvider.ts"
import { CredentialProviders } from "../../src/credential/CredentialProviders.ts"
import { memoryProvider } from "../../src/memory/MemoryProvider.ts"

const readOnly = credentialProvider({ key: "vault", get: () => undefined })
const flipped = <A, E>(effect: Effect.Effect<A, E>): Promise<E> => Effect.runPromise(Effect.flip(effect))

describe("looking up", () => {
  it("keeps keys in order of registration and finds a provider by its key", async () => {
    const memory = memoryProvider()
    const registry = new CredentialProviders([readOnly, memory], 1000)
    expect(registry.keys).toEqual(["vault", "memory"])
    expect(await Effect.runPromise(registry.get("memory"))).toBe(memory)
  })

  it.each(["nope", "__proto__", "constructor", ""])("names what is registered when %j is not", async (key) => {
    const registry = new CredentialProviders([readOnly], 1000)
    for (const call of [registry.get(key), registry.read(key, "id"), registry.items(key)]) {
      expect(await flipped(call as Effect.Effect<unknown, Error>)).toMatchObject({
        _tag: "CredentialProviderNotRegisteredError",
        message: expect.stringContaining('"vault"'),
      })
    }
  })

  it("gives pasted values to the first writable provider, and says so when there is none", async () => {
    const [one, two] = [memoryProvider({ key: "one" }), memoryProvider({ key: "two" })]
    const registry = new CredentialProviders([readOnly, one, two], 1000)
    expect(await Effect.runPromise(registry.defaultWritable())).toBe(one)
    expect([registry.writableOf("two"), registry.writableOf("vault"), registry.writableOf("nope")]).toEqual([
      two,
      undefined,
      undefined,
    ])
    expect(await flipped(new CredentialProviders([readOnly], 1000).defaultWritable())).toMatchObject({
      provider: null,
      message: expect.stringContaining("memoryProvider()"),
    })
  })

  it("does not take a provider for writable that lacks half of it", () => {
    const half = credentialProvider({ key: "half", get: () => undefined, set: () => {} })
    expect(new CredentialProviders([half], 1000).writableOf("half")).toBeUndefined()
  })
})

describe("calling", () => {
  const hanging = (timeoutMs?: number): CredentialProvider =>
    credentialProvider({ key: "hanging", timeoutMs, get: () => new Promise<never>(() => {}) })

  it("tells hanging, locked and gone apart, and none of them is missing", async () => {
    const locked = new ProviderUnavailableError({ provider: "locked", reason: "locked", nextStep: "Unlock it." })
    const providers = [
      hanging(5),
      credentialProvider({ key: "locked", get: () => Promise.reject(locked) }),
      memoryProvider({ key: "gone" }),
    ]
    await Effect.runPromise(providers[2]!.close!())
    const registry = new CredentialProviders(providers, 1000)
    expect(await flipped(registry.read("hanging", "id"))).toMatchObject({ _tag: "ProviderTimeoutError", timeoutMs: 5 })
    expect(await flipped(registry.read("locked", "id"))).toBe(locked)
    expect(await flipped(registry.read("gone", "id"))).toMatchObject({
      _tag: "ProviderUnavailableError",
      reason: "closed",
    })
  })

  it("limits a provider without a limit of its own to the executor's", async () => {
    const error = await flipped(new CredentialProviders([hanging()], 5).read("hanging", "id"))
    expect(error).toMatchObject({ _tag: "ProviderTimeoutError", provider: "hanging", timeoutMs: 5 })
  })

  it.each<[string, (secret: string) => CredentialProvider["get"]]>([
    ["dies at once", (secret) => () => Effect.die(new Error(secret))],
    ["dies later", (secret) => () => Effect.suspend(() => Effect.die(new Error(secret)))],
    [
      "throws instead of answering",
      (secret) => () => {
        throw new Error(secret)
      },
    ],
  ])("reports a provider that %s as unavailable, and repeats nothing of what it threw", async (_, getOf) => {
    const secret = canary("thrown")
    const dying: CredentialProvider = { key: "dying", writable: false, get: getOf(secret) }
    const error = await flipped(new CredentialProviders([dying], 1000).read("dying", "id"))
    expect(error).toMatchObject({ _tag: "ProviderUnavailableError", reason: "failed" })
    new CanaryScanner([secret]).expectNone(error, "the error")
  })

  it("reads and lists", async () => {
    const registry = new CredentialProviders([memoryProvider({ items: { b: "2", a: "1" } }), readOnly], 1000)
    expect(Redacted.value((await Effect.runPromise(registry.read("memory", "a")))!)).toBe("1")
    expect(await Effect.runPromise(registry.read("memory", "c"))).toBeUndefined()
    expect(await Effect.runPromise(registry.items("memory"))).toEqual([
      { id: "a", name: "a" },
      { id: "b", name: "b" },
    ])
    expect(await flipped(registry.items("vault"))).toMatchObject({
      _tag: "ProviderDeniedError",
      reason: "not_listable",
    })
  })

  it("closes every provider, also after one that fails to close", async () => {
    const closed: Array<string> = []
    const closing = (key: string): CredentialProvider =>
      credentialProvider({ key, get: () => undefined, close: () => void closed.push(key) })
    const stubborn: CredentialProvider = { ...closing("stubborn"), close: () => Effect.die(new Error("no")) }
    await Effect.runPromise(new CredentialProviders([closing("a"), stubborn, closing("b")], 1000).close())
    expect(closed).toEqual(["a", "b"])
  })
})
