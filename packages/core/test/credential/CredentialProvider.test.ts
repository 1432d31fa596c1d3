/** `credentialProvider`: what a Promise author writes, seen by the executor as the same contract. */
import { canary, CanaryScanner, providerContract } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { ProviderDeniedError } from "../../src/credential/CredentialError.ts"
import { credentialProvider } from "../../src/credential/CredentialProvider.ts"

describe("a provider written with Promises", () => {
  const cases = providerContract(
    () => {
      const items = new Map<string, string>()
      let gate = Promise.resolve()
      let open = (): void => {}
      let isClosed = false
      const ready = async (): Promise<void> => {
        if (isClosed) throw new Error("closed")
        await gate
      }
      return {
        provider: credentialProvider({
          key: "promised",
          get: (id) => ready().then(() => items.get(id)),
          has: (id) => ready().then(() => items.has(id)),
          set: (id, value) => ready().then(() => void items.set(id, value)),
          delete: (id) => ready().then(() => void items.delete(id)),
          list: () => ready().then(() => [...items.keys()].sort().map((id) => ({ id, name: id }))),
          invalidate: () => Promise.reject(new Error("nothing cached")),
          close: () => {
            isClosed = true
          },
        }),
        stall: () => {
          gate = new Promise((resolve) => {
            open = resolve
          })
        },
        resume: () => open(),
        dispose: () => open(),
      }
    },
    { stalls: ["get", "has", "set", "delete", "list"], malformedValues: "kept" },
  )
  for (const { name, run } of cases) it(name, run)
})

describe("what a handler may answer", () => {
  const get = (answer: unknown): Promise<Exit.Exit<Redacted.Redacted | undefined, unknown>> =>
    Effect.runPromiseExit(credentialProvider({ key: "p", get: () => answer as string }).get("id"))

  it("takes text, a Redacted, undefined and null, at once or later", async () => {
    const redacted = Redacted.make("secret")
    for (const [answer, expected] of [
      ["secret", "secret"],
      ["", ""],
      [Promise.resolve("secret"), "secret"],
      [redacted, "secret"],
      [Promise.resolve(redacted), "secret"],
      [undefined, undefined],
      [null, undefined],
    ]) {
      const exit = await get(answer)
      expect(Exit.map(exit, (value) => value && Redacted.value(value))).toEqual(Exit.succeed(expected))
    }
  })

  it.each([1, true, {}, ["secret"], Buffer.from("secret")])("refuses %s as a value", async (answer) => {
    const error = await Effect.runPromise(
      Effect.flip(credentialProvider({ key: "p", get: () => answer as string }).get("id")),
    )
    expect(error).toMatchObject({ _tag: "ProviderDeniedError", provider: "p", reason: "invalid_value" })
  })
})

describe("what a handler throws", () => {
  it("keeps a typed error as the same instance", async () => {
    const error = new ProviderDeniedError({ provider: "p", reason: "forbidden", nextStep: "Ask for access." })
    const provider = credentialProvider({
      key: "p",
      get: () => {
        throw error
      },
    })
    expect(await Effect.runPromise(Effect.flip(provider.get("id")))).toBe(error)
  })

  it("drops anything else, secret and all, and says unavailable", async () => {
    const [stored, pasted] = [canary("stored"), canary("pasted")]
    const thrown = Object.assign(new Error(`cannot store ${pasted}`, { cause: { body: stored } }), {
      config: { auth: stored },
    })
    const reject = (): Promise<never> => Promise.reject(thrown)
    const provider = credentialProvider({
      key: "p",
      get: reject,
      has: reject,
      set: reject,
      delete: reject,
      list: reject,
    })
    const calls: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
      provider.get("id"),
      provider.has!("id"),
      provider.set!("id", Redacted.make(pasted)),
      provider.delete!("id"),
      provider.list!(),
    ]
    for (const call of calls) {
      const exit = await Effect.runPromiseExit(call)
      expect(exit).toMatchObject({
        cause: { reasons: [{ error: { _tag: "ProviderUnavailableError", reason: "failed" } }] },
      })
      new CanaryScanner([stored, pasted]).expectNone(exit, "the exit")
    }
  })
})

describe("the signal", () => {
  it("aborts when the caller gives up", async () => {
    const { promise: given, resolve } = Promise.withResolvers<AbortSignal>()
    const provider = credentialProvider({
      key: "p",
      get: (_, { signal }) => {
        resolve(signal)
        return new Promise<never>(() => {})
      },
    })
    const fiber = Effect.runFork(provider.get("id"))
    const signal = await given
    expect(signal.aborted).toBe(false)
    await Effect.runPromise(Fiber.interrupt(fiber))
    expect(signal.aborted).toBe(true)
  })
})

describe("what it has", () => {
  it("is writable when it has set, unless it says otherwise, and has no methods that were not given", () => {
    const get = (): undefined => undefined
    const bare = credentialProvider({ key: "p", get })
    expect(bare.writable).toBe(false)
    expect(Object.keys(bare).sort()).toEqual(["get", "key", "writable"])
    expect(credentialProvider({ key: "p", get, set: () => {}, delete: () => {} }).writable).toBe(true)
    expect(credentialProvider({ key: "p", get, set: () => {}, writable: false }).writable).toBe(false)
    expect(credentialProvider({ key: "p", get, timeoutMs: 60_000 }).timeoutMs).toBe(60_000)
  })
})
