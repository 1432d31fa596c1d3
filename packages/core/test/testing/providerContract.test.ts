/**
 * The provider contract catches what it says it catches: providers that are broken on purpose fail it, each in the cases
 * that name its fault, and a provider that cannot do something passes once it declares so.
 */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { type MakeProvider, type ProviderCapabilities, providerContract } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { ProviderDeniedError, ProviderUnavailableError } from "../../src/credential/CredentialError.ts"
import { credentialProvider, type CredentialProvider } from "../../src/credential/CredentialProvider.ts"
import { memoryProvider } from "../../src/memory/MemoryProvider.ts"

/** The names of the cases that fail. */
const failuresOf = async (make: MakeProvider, capabilities: ProviderCapabilities = {}): Promise<Array<string>> => {
  const failed: Array<string> = []
  for (const { name, run } of providerContract(make, capabilities)) {
    await run().catch(() => failed.push(name))
  }
  return failed
}

type Methods = { -readonly [K in keyof CredentialProvider]: CredentialProvider[K] }

/** A sound provider with some of its methods replaced. */
const broken =
  (change: (sound: CredentialProvider) => Partial<Methods>): MakeProvider =>
  () => {
    const sound = memoryProvider({ key: "broken" })
    return { ...sound, ...change(sound) }
  }

const renamed = (rename: (id: string) => string): MakeProvider =>
  broken((sound) => ({
    get: (id) => sound.get(rename(id)),
    has: (id) => sound.has!(rename(id)),
    set: (id, value) => sound.set!(rename(id), value),
    delete: (id) => sound.delete!(rename(id)),
  }))

const altered = (alter: (value: string) => string): MakeProvider =>
  broken((sound) => ({ set: (id, value) => sound.set!(id, Redacted.make(alter(Redacted.value(value)))) }))

const unavailable = (nextStep: string): ProviderUnavailableError =>
  new ProviderUnavailableError({ provider: "broken", reason: "failed", nextStep })

describe("a sound provider", () => {
  it("passes every case, and every case has a name of its own", async () => {
    const cases = providerContract(() => memoryProvider())
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length)
    expect(await failuresOf(() => memoryProvider())).toEqual([])
  })

  it("passes when it is written with Promises", async () => {
    const make = (): CredentialProvider => {
      const items = new Map<string, string>()
      return credentialProvider({
        key: "promised",
        get: async (id) => items.get(id),
        set: async (id, value) => void items.set(id, value),
        delete: async (id) => void items.delete(id),
      })
    }
    expect(await failuresOf(make, { listable: false, closable: false })).toEqual([])
  })
})

describe("a provider that is broken on purpose", () => {
  it.each<[string, MakeProvider, RegExp]>([
    ["writes nothing", broken(() => ({ set: () => Effect.void })), /reads what was stored/],
    [
      "keeps the first value",
      broken((sound) => ({
        set: (id, value) => Effect.flatMap(sound.get(id), (found) => (found ? Effect.void : sound.set!(id, value))),
      })),
      /overwrites in place/,
    ],
    ["deletes nothing", broken(() => ({ delete: () => Effect.void })), /deletes, and deleting again succeeds/],
    [
      "fails to delete what is gone",
      broken((sound) => ({
        delete: (id) =>
          Effect.flatMap(sound.get(id), (found) => (found ? sound.delete!(id) : Effect.fail(unavailable("no")))),
      })),
      /deletes, and deleting again succeeds/,
    ],
    [
      "deletes everything at once",
      broken((sound) => ({
        delete: () =>
          Effect.flatMap(sound.list!(), (items) =>
            Effect.forEach(items, ({ id }) => sound.delete!(id), { discard: true }),
          ),
      })),
      /leaves other items alone/,
    ],
    [
      "fails for an unknown id",
      broken((sound) => ({
        get: (id) =>
          Effect.flatMap(sound.get(id), (found) => (found ? Effect.succeed(found) : Effect.fail(unavailable("?")))),
      })),
      /answers undefined for an id it does not know/,
    ],
    [
      "answers with a plain string",
      broken((sound) => ({
        get: (id) =>
          Effect.map(sound.get(id), (found) => (found && Redacted.value(found)) as unknown as Redacted.Redacted),
      })),
      /wrapped in Redacted/,
    ],
    ["claims to have what it has not", broken(() => ({ has: () => Effect.succeed(true) })), /does not know/],
    ["folds case", renamed((id) => id.toLowerCase()), /differ only by upper and lower case/],
    ["normalises ids", renamed((id) => id.normalize("NFC")), /differ only by composed and decomposed letters/],
    ["trims ids", renamed((id) => id.trim()), /differ only by space around a name/],
    ["cuts ids at a NUL", renamed((id) => id.split("\0")[0]!), /prefixes of each other/],
    [
      "cuts long ids",
      broken((sound) => ({ set: (id, value) => sound.set!(id.slice(0, 255), value) })),
      /whose id is 4 KB of ASCII/,
    ],
    [
      "uses ids as paths",
      renamed((id) => id.replaceAll("\\", "/").replace(/\/+$/, "")),
      /differ only by encoded and plain separators/,
    ],
    ["decodes ids", renamed((id) => id.replace(/%2f/gi, "/")), /differ only by encoded and plain separators/],
    ["replaces lone surrogates in ids", renamed((id) => id.toWellFormed()), /ids apart that are not well-formed/],
    [
      "keeps items in a plain object",
      () => {
        const items: Record<string, Redacted.Redacted> = {}
        return {
          ...memoryProvider({ key: "broken" }),
          get: (id) => Effect.sync(() => items[id]),
          set: (id, value) => Effect.sync(() => void (items[id] = value)),
          delete: (id) => Effect.sync(() => void delete items[id]),
        }
      },
      /knows none of the ids/,
    ],
    ["trims values", altered((value) => value.trim()), /gives back a trailing line break/],
    ["normalises line breaks", altered((value) => value.replaceAll("\r\n", "\n")), /line breaks of every kind/],
    ["cuts values at a NUL", altered((value) => value.split("\0")[0]!), /gives back a NUL/],
    ["strips a byte order mark", altered((value) => value.replace(/^\ufeff/, "")), /a byte order mark exactly/],
    ["normalises values", altered((value) => value.normalize("NFC")), /side by side/],
    ["cuts long values", altered((value) => value.slice(0, 65_536)), /1 MB of ASCII/],
    ["replaces lone surrogates in values", altered((value) => value.toWellFormed()), /never alters it/],
    [
      "treats empty as absent",
      broken((sound) => ({
        get: (id) => Effect.map(sound.get(id), (found) => (found && Redacted.value(found) === "" ? undefined : found)),
      })),
      /gives back the empty text/,
    ],
    [
      "lists in another order each time",
      broken((sound) => {
        let turn = 0
        return { list: () => Effect.map(sound.list!(), (items) => (turn++ % 2 ? items : items.toReversed())) }
      }),
      /in a stable order/,
    ],
    [
      "lists an item twice",
      broken((sound) => ({ list: () => Effect.map(sound.list!(), (items) => [...items, ...items]) })),
      /lists each item once/,
    ],
    [
      "shows secrets as names",
      broken((sound) => ({
        list: () =>
          Effect.flatMap(sound.list!(), (items) =>
            Effect.forEach(items, ({ id }) =>
              Effect.map(sound.get(id), (found) => ({ id, name: Redacted.value(found!) })),
            ),
          ),
      })),
      /shows no secret in its list/,
    ],
    [
      "loses what others write meanwhile",
      () => {
        let items = new Map<string, Redacted.Redacted>()
        const rewrite = (change: (copy: Map<string, Redacted.Redacted>) => void): Effect.Effect<void> =>
          Effect.gen(function* () {
            const copy = new Map(items)
            yield* Effect.promise(() => Promise.resolve())
            change(copy)
            items = copy
          })
        return {
          ...memoryProvider({ key: "broken" }),
          get: (id) => Effect.sync(() => items.get(id)),
          has: (id) => Effect.sync(() => items.has(id)),
          set: (id, value) => rewrite((copy) => copy.set(id, value)),
          delete: (id) => rewrite((copy) => copy.delete(id)),
        }
      },
      /loses nothing when many write different items at once/,
    ],
    [
      "writes before its effect runs",
      broken((sound) => ({
        set: (id, value) => {
          Effect.runSync(sound.set!(id, value))
          return Effect.void
        },
      })),
      /when an effect runs, not when it is made/,
    ],
    [
      "tears a value when interrupted",
      broken((sound) => ({
        set: (id, value) =>
          Effect.gen(function* () {
            yield* sound.set!(id, Redacted.make(Redacted.value(value).slice(0, 4)))
            yield* Effect.yieldNow
            yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
            yield* sound.set!(id, value)
          }),
      })),
      /old or the new value, whole/,
    ],
    [
      "dies",
      broken(() => ({ get: () => Effect.die(new Error("no")) })),
      /answers undefined for an id it does not know/,
    ],
    [
      "fails with an error of its own",
      broken((sound) => {
        let isClosed = false
        return {
          get: (id) => (isClosed ? Effect.fail(new Error("closed") as never) : sound.get(id)),
          close: () => Effect.sync(() => void (isClosed = true)),
        }
      }),
      /once it is closed/,
    ],
    ["answers after it was closed", broken(() => ({ close: () => Effect.void })), /once it is closed/],
    [
      "says denied after it was closed",
      broken((sound) => ({
        get: (id) =>
          Effect.mapError(
            sound.get(id),
            () => new ProviderDeniedError({ provider: "broken", reason: "closed", nextStep: "-" }),
          ),
      })),
      /once it is closed/,
    ],
    [
      "quotes the value in an error",
      broken((sound) => ({
        set: (id, value) =>
          Effect.mapError(sound.set!(id, value), () => unavailable(`Could not store ${Redacted.value(value)}.`)),
      })),
      /names no secret/,
    ],
    [
      "names another provider in its errors",
      () => ({ ...memoryProvider({ key: "inner" }), key: "broken" }),
      /once it is closed/,
    ],
    ["has no key", broken(() => ({ key: "" })), /has a key/],
    ["claims to be read-only", broken(() => ({ writable: false })), /says truthfully/],
  ])("fails where it %s", async (_, make, expected) => {
    expect(await failuresOf(make)).toEqual(expect.arrayContaining([expect.stringMatching(expected)]))
  })

  it("fails only the case that names its fault", async () => {
    expect(await failuresOf(renamed((id) => (id === "constructor" ? "toString" : id)))).toEqual([
      "keeps an item whose id is the prototype name constructor",
    ])
    expect(await failuresOf(altered((value) => value.replace(/^\ufeff/, "")))).toEqual([
      "gives back a byte order mark exactly",
    ])
    expect(await failuresOf(renamed((id) => id.toWellFormed()))).toEqual([
      "keeps ids apart that are not well-formed UTF-16, or refuses them",
    ])
  })
})

describe("declared capabilities", () => {
  const limited: MakeProvider = broken((sound) => ({
    set: (id, value) => {
      const text = Redacted.value(value)
      return id === "" ||
        id.length > 255 ||
        !text.isWellFormed() ||
        Buffer.byteLength(text) > 2560 ||
        text.includes("\0")
        ? Effect.fail(new ProviderDeniedError({ provider: "broken", reason: "unsupported", nextStep: "Shorten it." }))
        : sound.set!(id, value)
    },
  }))
  const declared: ProviderCapabilities = {
    acceptedIds: (id) => id !== "" && id.length <= 255,
    acceptedValues: (value) => !value.includes("\0"),
    maximumValueBytes: 2560,
    malformedValues: "refused",
  }

  it("turn what a backend cannot hold into refusals", async () => {
    expect(await failuresOf(limited, declared)).toEqual([])
    const names = providerContract(limited, declared).map(({ name }) => name)
    expect(names).toContain("refuses 1 MB of ASCII rather than altering it")
    expect(names).toContain("refuses a NUL rather than altering it")
    expect(names).toContain("refuses to store under an id that is nothing at all")
  })

  it("fail a provider that keeps what it said it cannot hold, or the other way round", async () => {
    expect(await failuresOf(() => memoryProvider(), declared)).toContain(
      "refuses 1 MB of ASCII rather than altering it",
    )
    expect(await failuresOf(() => memoryProvider(), { malformedValues: "refused" })).toHaveLength(4)
    expect(await failuresOf(limited)).toContain("gives back 1 MB of ASCII exactly")
  })

  it("fail a provider that lacks what it did not deny having", async () => {
    const readOnly: MakeProvider = () => credentialProvider({ key: "bare", get: () => undefined })
    const failed = await failuresOf(readOnly)
    expect(failed).toContain("says truthfully whether it can be written, listed and closed")
    expect(failed).toContain("overwrites in place")
    const unseeded = providerContract(readOnly, { writable: false, listable: false, closable: false })
    await expect(unseeded.find(({ name }) => name.startsWith("reads what"))!.run()).rejects.toThrow("needs `seed`")
  })

  const stalling =
    (isCooperative: boolean): MakeProvider =>
    () => {
      const items = new Map<string, string>()
      let gate: PromiseWithResolvers<void> | undefined
      const provider = credentialProvider({
        key: "stalling",
        get: async (id) => {
          await gate?.promise
          return items.get(id)
        },
        set: (id, value) => void items.set(id, value),
        delete: (id) => void items.delete(id),
      })
      return {
        provider: isCooperative ? provider : { ...provider, get: (id) => Effect.uninterruptible(provider.get(id)) },
        stall: () => {
          gate = Promise.withResolvers()
        },
        resume: () => gate?.resolve(),
        dispose: () => gate?.resolve(),
      }
    }
  const stallingCan: ProviderCapabilities = { listable: false, closable: false, stalls: ["get"] }

  it("let a hanging backend be tested for cancellation and limits", async () => {
    const cases = providerContract(stalling(true), stallingCan)
    const names = cases.map(({ name }) => name)
    expect(names).toContain("stops waiting in get when the caller gives up on a backend that hangs")
    expect(names).toContain("gives up get at its limit when its backend hangs, and answers again later")
    for (const { run } of cases) await run()
  })

  it("catch a provider that leaks when its backend breaks", async () => {
    const failing =
      (leaks: boolean): MakeProvider =>
      () => {
        const items = new Map<string, string>()
        let isBroken = false
        return {
          provider: {
            key: "vault",
            writable: false,
            get: (id) =>
              Effect.suspend(() => {
                const found = items.get(id)
                if (!isBroken) return Effect.succeed(found === undefined ? undefined : Redacted.make(found))
                const text = leaks ? Buffer.from(`vault:${found}`).toString("base64") : "It is locked."
                return Effect.fail(
                  new ProviderUnavailableError({ provider: "vault", reason: "locked", nextStep: `Unlock it: ${text}` }),
                )
              }),
          },
          seed: (id, value) => void items.set(id, value),
          breakBackend: () => {
            isBroken = true
          },
        }
      }
    const can = { writable: false, listable: false, closable: false, failures: ["locked"] }
    expect(await failuresOf(failing(false), can)).toEqual([])
    expect(await failuresOf(failing(true), can)).toEqual([
      "fails typed and names no secret when its backend breaks: locked",
    ])
  })

  it("let an error name a member of a provider that asks others", async () => {
    const make: MakeProvider = () => ({ ...memoryProvider({ key: "inner" }), key: "outer" })
    expect(await failuresOf(make, { errorKeys: ["inner"] })).toEqual([])
  })
})

describe("runner neutrality", () => {
  it("runs under node:test with nothing of vitest loaded", async () => {
    const script = `
      import { test } from "node:test"
      import { memoryProvider } from ${JSON.stringify(new URL("../../src/memory/MemoryProvider.ts", import.meta.url).href)}
      import { providerContract } from ${JSON.stringify(new URL("../../src/testing.ts", import.meta.url).href)}
      for (const { name, run } of providerContract(() => memoryProvider())) test(name, run)
    `
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--input-type=module", "--conditions=@keyward/source", "--test-reporter=tap", "--eval", script],
      { env },
    )
    expect(stdout).toMatch(/^# fail 0$/m)
    expect(stdout).toMatch(new RegExp(`^# pass ${providerContract(() => memoryProvider()).length}$`, "m"))
  })
})
