/** A chain of providers: the first that has the item answers, and one that has it and is broken ends the chain. */
import { canary, CanaryScanner, providerContract } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { chainProviders } from "../../src/credential/ChainProviders.ts"
import {
  ProviderDeniedError,
  ProviderTimeoutError,
  ProviderUnavailableError,
} from "../../src/credential/CredentialError.ts"
import { type CredentialProvider, credentialProvider } from "../../src/credential/CredentialProvider.ts"
import { CredentialProviders } from "../../src/credential/CredentialProviders.ts"
import { envProvider } from "../../src/credential/EnvProvider.ts"
import { InvalidProviderOptionsError } from "../../src/credential/ProviderOptionsError.ts"
import { memoryProvider } from "../../src/memory/MemoryProvider.ts"

const read = async (provider: CredentialProvider, id: string): Promise<string | undefined> => {
  const value = await Effect.runPromise(provider.get(id))
  return value && Redacted.value(value)
}

const failure = (provider: CredentialProvider, id: string): Promise<unknown> =>
  Effect.runPromise(Effect.flip(provider.get(id)))

const locked = (key: string): ProviderUnavailableError =>
  new ProviderUnavailableError({ provider: key, reason: "locked", nextStep: "Unlock it." })

/** A provider that journals what it is asked and answers with what it is given. */
const witness = (
  key: string,
  answer: (id: string) => string | undefined,
): { readonly provider: CredentialProvider; readonly journal: Array<string> } => {
  const journal: Array<string> = []
  const provider = credentialProvider({
    key,
    get: (id) => {
      journal.push(`get ${id}`)
      return answer(id)
    },
    invalidate: (id) => void journal.push(`invalidate ${id}`),
    close: () => void journal.push("close"),
  })
  return { provider, journal }
}

describe.each([
  ["first", 0],
  ["last", 1],
] as const)("a chain whose %s provider holds the items", (_, position) => {
  const cases = providerContract(
    () => {
      const items = memoryProvider({ key: "items" })
      const other = position === 0 ? memoryProvider({ key: "other" }) : envProvider({ allow: ["KEYWARD_TEST_NONE"] })
      return {
        provider: chainProviders(position === 0 ? [items, other] : [other, items]),
        seed: (id, value) => Effect.runPromise(items.set!(id, Redacted.make(value))),
      }
    },
    { writable: false, malformedValues: "kept" },
  )
  for (const { name, run } of cases) it(name, run)
})

describe("a chain whose second provider hangs or breaks", () => {
  const cases = providerContract(
    () => {
      const items = new Map<string, string>()
      let gate = Promise.resolve()
      let open = (): void => {}
      let failing: (() => never) | undefined
      const vault = credentialProvider({
        key: "vault",
        get: async (id) => {
          await gate
          failing?.()
          return items.get(id)
        },
      })
      return {
        provider: chainProviders([credentialProvider({ key: "empty", get: () => undefined }), vault]),
        seed: (id, value) => void items.set(id, value),
        stall: () => {
          gate = new Promise((resolve) => {
            open = resolve
          })
        },
        resume: () => open(),
        breakBackend: (how, id) => {
          failing = () => {
            if (how === "locked") throw locked("vault")
            throw new Error(`Cannot decrypt ${items.get(id)}.`)
          }
        },
        dispose: () => open(),
      }
    },
    {
      writable: false,
      listable: false,
      stalls: ["get", "has"],
      failures: ["locked", "throwing"],
      errorKeys: ["vault"],
    },
  )
  for (const { name, run } of cases) it(name, run)
})

describe("the order", () => {
  it("asks one after the other and nobody after the first answer", async () => {
    const [one, two, three] = [
      witness("one", () => undefined),
      witness("two", (id) => (id === "a" ? "from two" : undefined)),
      witness("three", () => "from three"),
    ]
    const chain = chainProviders([one.provider, two.provider, three.provider])
    expect(await read(chain, "a")).toBe("from two")
    expect(await read(chain, "b")).toBe("from three")
    expect([one.journal, two.journal, three.journal]).toEqual([["get a", "get b"], ["get a", "get b"], ["get b"]])
  })

  it("takes an empty value as an answer", async () => {
    const chain = chainProviders([memoryProvider({ items: { a: "" } }), memoryProvider({ items: { a: "later" } })])
    expect(await read(chain, "a")).toBe("")
    expect(await Effect.runPromise(chain.has!("a"))).toBe(true)
  })

  it("answers undefined when nobody has it", async () => {
    expect(await read(chainProviders([memoryProvider(), memoryProvider()]), "a")).toBeUndefined()
  })

  it("goes on after a provider that says precisely what it does not have", async () => {
    const notFound = new ProviderDeniedError({ provider: "vault", reason: "item_not_found", nextStep: "Create it." })
    const vault = credentialProvider({ key: "vault", get: () => Promise.reject(notFound) })
    expect(await read(chainProviders([vault, memoryProvider({ items: { id: "value" } })]), "id")).toBe("value")
    expect(await read(chainProviders([vault]), "id")).toBeUndefined()
  })

  it("is not changed by changing the list it was made from", async () => {
    const members = [memoryProvider({ items: { a: "1" } })]
    const chain = chainProviders(members)
    members.unshift(memoryProvider({ items: { a: "2" } }))
    expect(await read(chain, "a")).toBe("1")
  })
})

describe("an error", () => {
  it.each([
    locked("one"),
    new ProviderDeniedError({ provider: "one", reason: "forbidden", nextStep: "Ask for access." }),
    new ProviderTimeoutError({ provider: "one", timeoutMs: 5 }),
  ])("of an earlier provider ends the chain as the same instance: $_tag", async (raised) => {
    const one = credentialProvider({ key: "one", get: () => Promise.reject(raised), has: () => Promise.reject(raised) })
    const two = witness("two", () => "an older secret")
    const chain = chainProviders([one, two.provider])
    expect(await failure(chain, "a")).toBe(raised)
    expect(await Effect.runPromise(Effect.flip(chain.has!("a")))).toBe(raised)
    expect(two.journal).toEqual([])
  })

  it("of a later provider does not matter to what an earlier one has", async () => {
    const chain = chainProviders([
      memoryProvider({ items: { a: "1" } }),
      credentialProvider({ key: "two", get: () => Promise.reject(locked("two")) }),
    ])
    expect(await read(chain, "a")).toBe("1")
    expect(await failure(chain, "b")).toMatchObject({ _tag: "ProviderUnavailableError", provider: "two" })
  })

  it("that nobody described does not fall through either, and repeats nothing", async () => {
    const secret = canary("thrown")
    const dying: CredentialProvider = { key: "one", writable: false, get: () => Effect.die(new Error(secret)) }
    const two = witness("two", () => "an older secret")
    const chain = chainProviders([dying, two.provider])
    expect(Exit.hasDies(await Effect.runPromiseExit(chain.get("a")))).toBe(true)
    const read = new CredentialProviders([chain], 1000).read("chain", "a")
    const error = await Effect.runPromise(Effect.flip(read))
    expect(error).toMatchObject({ _tag: "ProviderUnavailableError", provider: "chain" })
    new CanaryScanner([secret]).expectNone(error, "the error")
    expect(two.journal).toEqual([])
  })
})

describe("limits", () => {
  const hanging = (key: string, timeoutMs?: number): CredentialProvider =>
    credentialProvider({ key, timeoutMs, get: () => new Promise<never>(() => {}) })

  it("gives up a provider at its own limit, by its own name, without asking the next", async () => {
    const two = witness("two", () => "an older secret")
    const error = await failure(chainProviders([hanging("prompt", 5), two.provider]), "a")
    expect(error).toMatchObject({ _tag: "ProviderTimeoutError", provider: "prompt", timeoutMs: 5 })
    expect(two.journal).toEqual([])
  })

  it("leaves room for every provider when one declares a limit, and declares none otherwise", () => {
    expect(chainProviders([memoryProvider(), memoryProvider()]).timeoutMs).toBeUndefined()
    expect(chainProviders([hanging("a", 60_000), hanging("b", 1000)]).timeoutMs).toBe(61_000)
    expect(chainProviders([hanging("a", 60_000), memoryProvider(), memoryProvider()]).timeoutMs).toBe(75_000)
  })
})

describe("has and list", () => {
  it("reads where a provider has no has()", async () => {
    const one = witness("one", (id) => (id === "a" ? "1" : undefined))
    const chain = chainProviders([one.provider])
    expect(await Effect.runPromise(chain.has!("a"))).toBe(true)
    expect(await Effect.runPromise(chain.has!("b"))).toBe(false)
  })

  it("lists each id once, in the order of the chain, without those that cannot list", async () => {
    const chain = chainProviders([
      memoryProvider({ items: { b: "1", a: "1" } }),
      witness("mute", () => undefined).provider,
      credentialProvider({
        key: "vault",
        get: () => undefined,
        list: () => [
          { id: "c", name: "C" },
          { id: "a", name: "A" },
        ],
      }),
    ])
    expect(await Effect.runPromise(chain.list!())).toEqual([
      { id: "a", name: "a" },
      { id: "b", name: "b" },
      { id: "c", name: "C" },
    ])
  })

  it("fails to list when one that can list fails: half a list would mislead", async () => {
    const vault = credentialProvider({
      key: "vault",
      get: () => undefined,
      list: () => Promise.reject(locked("vault")),
    })
    const chain = chainProviders([memoryProvider({ items: { a: "1" } }), vault])
    expect(await Effect.runPromise(Effect.flip(chain.list!()))).toMatchObject({ provider: "vault", reason: "locked" })
  })

  it("has no list when nobody can list", () => {
    expect(chainProviders([witness("mute", () => undefined).provider])).not.toHaveProperty("list")
  })
})

describe("the chain as one provider", () => {
  it("tells each member what to forget, and closes each, also after one that fails to close", async () => {
    const [one, two] = [witness("one", () => undefined), witness("two", () => undefined)]
    const stubborn: CredentialProvider = { ...one.provider, close: () => Effect.die(new Error("no")) }
    const chain = chainProviders([stubborn, two.provider])
    await Effect.runPromise(chain.invalidate!("a"))
    await Effect.runPromise(chain.close!())
    expect([one.journal, two.journal]).toEqual([["invalidate a"], ["invalidate a", "close"]])
  })

  it("answers nothing once closed, even where a member cannot be closed", async () => {
    const chain = chainProviders([envProvider({ allow: ["A"], env: { A: "1" } })], { key: "closed-chain" })
    await Effect.runPromise(chain.close!())
    expect(await failure(chain, "A")).toMatchObject({
      _tag: "ProviderUnavailableError",
      provider: "closed-chain",
      reason: "closed",
    })
  })

  it("cannot be written, even over writable members, and goes by the key it is given", () => {
    const chain = chainProviders([memoryProvider()])
    expect([chain.key, chain.writable, "set" in chain, "delete" in chain]).toEqual(["chain", false, false, false])
    expect(chainProviders([memoryProvider()], { key: "secrets" }).key).toBe("secrets")
  })

  it("refuses an empty chain, and says what to pass", () => {
    expect(() => chainProviders([])).toThrow(InvalidProviderOptionsError)
    expect(() => chainProviders([])).toThrow("at least one provider")
  })

  it("can be a member of another chain", async () => {
    const inner = chainProviders([memoryProvider(), memoryProvider({ items: { a: "inner" } })])
    expect(await read(chainProviders([memoryProvider(), inner], { key: "outer" }), "a")).toBe("inner")
  })
})
