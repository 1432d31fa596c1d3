/**
 * The contract suite of credential providers: what `CredentialProvider` says, as cases that any test runner can run.
 *
 * Every provider that ships runs all of it and adds only what is special about itself. What a provider's backend cannot do
 * is declared as a capability and then checked the other way round: what it cannot hold it must refuse with a typed error,
 * and must never alter.
 */
import * as assert from "node:assert/strict"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import { isProviderError, type ProviderError, ProviderTimeoutError } from "../credential/CredentialError.ts"
import type { CredentialProvider } from "../credential/CredentialProvider.ts"
import { CredentialProviders } from "../credential/CredentialProviders.ts"
import { canary, CanaryScanner } from "./canary.ts"
import { type ContractCase, failureOf, interrupted, settled, succeeding } from "./ContractCase.ts"
import { hostileIds, hostileValues, lookAlikeIds, malformedTexts } from "./hostileText.ts"

/** A fresh provider with the handles the contract needs; made anew for each case. */
export interface ProviderUnderTest {
  readonly provider: CredentialProvider
  /** Puts an item where the provider reads, behind its back. Required of providers that cannot be written. */
  readonly seed?: ((id: string, value: string) => PromiseLike<void> | void) | undefined
  /** From now on the backend does not answer. Required by the capability `stallable`. */
  readonly stall?: (() => PromiseLike<void> | void) | undefined
  /** Ends {@link ProviderUnderTest.stall}: later calls are answered again. */
  readonly resume?: (() => PromiseLike<void> | void) | undefined
  /** Breaks the backend in one of the ways the capability `failures` lists, so that reading `id` must fail from now on. */
  readonly breakBackend?: ((failure: string, id: string) => PromiseLike<void> | void) | undefined
  /** Called once after the case, whatever came of it, after the provider's own `close`. */
  readonly dispose?: (() => PromiseLike<void> | void) | undefined
}

/** What a provider can do. Decides which cases apply and which way round. */
export interface ProviderCapabilities {
  /** Has `set` and `delete`. Default `true`; with `false` the subject needs `seed`. */
  readonly writable?: boolean | undefined
  /** Has `list`. Default `true`. */
  readonly listable?: boolean | undefined
  /** Has `close`, after which every call fails. Default `true`. */
  readonly closable?: boolean | undefined
  /** The subject has `stall` and `resume`. Default `false`: cancellation is then checked without a hanging backend. */
  readonly stallable?: boolean | undefined
  /** Names of the ways in which the subject's `breakBackend` can make a read fail. Default: none. */
  readonly failures?: ReadonlyArray<string> | undefined
  /** Turns a plain label (letters and digits) into an id of the provider's own grammar. Default: the label itself. */
  readonly idOf?: ((label: string) => string) | undefined
  /** Whether the backend can hold an item under this id. Others must be `undefined` to `get` and refused by `set`. Default: all. */
  readonly acceptedIds?: ((id: string) => boolean) | undefined
  /** Whether the backend can hold this value. Others must be refused by `set`. Default: all. Well-formed text only. */
  readonly acceptedValues?: ((value: string) => boolean) | undefined
  /** Longest value the backend can hold, in bytes of UTF-8. Default: no limit. */
  readonly maximumValueBytes?: number | undefined
  /** What becomes of text that is not well-formed UTF-16. Default: either, but never an altered value. */
  readonly malformedValues?: "kept" | "refused" | undefined
}

/** What {@link providerContract} takes: a provider, or one with its handles, fresh on each call. */
export type MakeProvider = () =>
  CredentialProvider | ProviderUnderTest | PromiseLike<CredentialProvider | ProviderUnderTest>

/**
 * The cases a credential provider must pass; `make` is called once per case.
 *
 * @example
 * ```ts
 * import { memoryProvider } from "@keyward/core"
 * import { providerContract } from "@keyward/core/testing"
 * import { describe, it } from "node:test"
 *
 * describe("memoryProvider", () => {
 *   for (const { name, run } of providerContract(() => memoryProvider())) it(name, run)
 * })
 * ```
 */
export const providerContract = (
  make: MakeProvider,
  capabilities: ProviderCapabilities = {},
): ReadonlyArray<ContractCase> => {
  const can = resolved(capabilities)
  const suite: Suite = {
    can,
    test: (name, check) => ({
      name,
      run: async () => {
        const subject = await subjectOf(make)
        try {
          await check(new Probe(subject, can))
        } finally {
          await Effect.runPromise(Effect.ignoreCause(subject.provider.close?.() ?? Effect.void))
          await subject.dispose?.()
        }
      },
    }),
  }
  return [
    ...shapeCases(suite),
    ...readCases(suite),
    ...(can.writable ? writeCases(suite) : []),
    ...idCases(suite),
    ...valueCases(suite),
    ...(can.listable ? listCases(suite) : []),
    ...parallelCases(suite),
    ...cancellationCases(suite),
    ...failureCases(suite),
    ...(can.closable ? closedCases(suite) : []),
  ]
}

interface Suite {
  readonly can: Capabilities
  readonly test: (name: string, check: (probe: Probe) => Promise<void>) => ContractCase
}

interface Capabilities {
  readonly writable: boolean
  readonly listable: boolean
  readonly closable: boolean
  readonly stallable: boolean
  readonly failures: ReadonlyArray<string>
  readonly idOf: (label: string) => string
  readonly holdsId: (id: string) => boolean
  readonly holdsValue: (value: string) => boolean
  readonly malformedValues: "kept" | "refused" | undefined
}

const resolved = (capabilities: ProviderCapabilities): Capabilities => {
  const { acceptedValues, maximumValueBytes = Number.POSITIVE_INFINITY } = capabilities
  return {
    writable: capabilities.writable ?? true,
    listable: capabilities.listable ?? true,
    closable: capabilities.closable ?? true,
    stallable: capabilities.stallable ?? false,
    failures: capabilities.failures ?? [],
    idOf: capabilities.idOf ?? ((label) => label),
    holdsId: capabilities.acceptedIds ?? (() => true),
    holdsValue: (value) => Buffer.byteLength(value) <= maximumValueBytes && (acceptedValues?.(value) ?? true),
    malformedValues: capabilities.malformedValues,
  }
}

const subjectOf = async (make: MakeProvider): Promise<ProviderUnderTest> => {
  const made = await make()
  return "provider" in made ? made : { provider: made }
}

/** The provider as the cases speak to it: plain strings, every call expected to end, a missing half named. */
class Probe {
  readonly provider: CredentialProvider
  readonly subject: ProviderUnderTest
  readonly #can: Capabilities

  constructor(subject: ProviderUnderTest, can: Capabilities) {
    this.subject = subject
    this.provider = subject.provider
    this.#can = can
  }

  id(label: string): string {
    return this.#can.idOf(label)
  }

  async read(id: string): Promise<string | undefined> {
    const value = await succeeding(this.provider.get(id), `get(${shown(id)})`)
    if (value === undefined) return undefined
    assert.ok(Redacted.isRedacted(value), "get() answered with something that is not a Redacted.")
    return Redacted.value(value)
  }

  set(id: string, value: string): Effect.Effect<void, ProviderError> {
    const call = this.provider.set?.(id, Redacted.make(value))
    assert.ok(call, "The provider has no set(); pass `writable: false` if it cannot be written.")
    return call
  }

  delete(id: string): Effect.Effect<void, ProviderError> {
    const call = this.provider.delete?.(id)
    assert.ok(call, "The provider has no delete(); pass `writable: false` if it cannot be written.")
    return call
  }

  async write(id: string, value: string): Promise<void> {
    await succeeding(this.set(id, value), `set(${shown(id)})`)
  }

  async remove(id: string): Promise<void> {
    await succeeding(this.delete(id), `delete(${shown(id)})`)
  }

  /** Has the item stored by whichever way the provider allows. */
  async put(id: string, value: string): Promise<void> {
    if (this.#can.writable) return this.write(id, value)
    assert.ok(this.subject.seed, "A provider that cannot be written needs `seed` to be tested.")
    await this.subject.seed(id, value)
  }

  async has(id: string): Promise<boolean> {
    return this.provider.has === undefined
      ? (await this.read(id)) !== undefined
      : succeeding(this.provider.has(id), `has(${shown(id)})`)
  }

  async list(): Promise<ReadonlyArray<{ readonly id: string; readonly name: string }>> {
    const call = this.provider.list?.()
    assert.ok(call, "The provider has no list(); pass `listable: false` if it cannot list.")
    return succeeding(call, "list()")
  }

  async expectStored(id: string, value: string): Promise<void> {
    expectSame(await this.read(id), value, id)
    assert.equal(await this.has(id), true, `has(${shown(id)}) denies what get() finds.`)
  }

  async expectMissing(id: string): Promise<void> {
    assert.ok((await this.read(id)) === undefined, `get(${shown(id)}) found an item that is not there.`)
    assert.equal(await this.has(id), false, `has(${shown(id)}) claims an item that get() does not find.`)
  }

  /** A write that must be refused for good, with the former item left as it was and the value named nowhere. */
  async expectRefused(id: string, value: string): Promise<void> {
    const before = await this.read(id)
    const failure = failureOf(await settled(this.set(id, value), `set(${shown(id)})`), `set(${shown(id)})`)
    assert.equal(failure._tag, "ProviderDeniedError", "A write that can never succeed is refused as denied.")
    if (value.length >= 8) new CanaryScanner([value]).expectNone(failure, "the refusal")
    assert.ok((await this.read(id)) === before, `A refused set(${shown(id)}) changed what is stored.`)
  }
}

const shapeCases = ({ can, test }: Suite): ReadonlyArray<ContractCase> => [
  test("has a key that can be registered", async ({ provider }) => {
    assert.equal(typeof provider.key, "string")
    assert.match(provider.key, /^\S+$/, "The key is empty or holds space.")
  }),
  test("says truthfully whether it can be written, listed and closed", async ({ provider }) => {
    assert.equal(provider.writable, can.writable)
    const canWrite = provider.set !== undefined && provider.delete !== undefined
    if (can.writable) assert.ok(canWrite, "A writable provider needs set and delete.")
    assert.equal(provider.list !== undefined, can.listable)
    assert.equal(provider.close !== undefined, can.closable)
    if (provider.timeoutMs !== undefined) assert.ok(provider.timeoutMs > 0, "A limit is a positive number.")
  }),
]

const readCases = ({ test }: Suite): ReadonlyArray<ContractCase> => [
  test("reads what was stored, wrapped in Redacted", async (probe) => {
    const [id, secret] = [probe.id("alpha"), canary("read")]
    await probe.put(id, secret)
    const value = await succeeding(probe.provider.get(id), "get")
    assert.ok(Redacted.isRedacted(value), "get() must answer with a Redacted.")
    new CanaryScanner([secret]).expectNone(value, "the wrapped value")
    await probe.expectStored(id, secret)
  }),
  test("answers undefined for an id it does not know", async (probe) => {
    await probe.put(probe.id("alpha"), "the only item")
    await probe.expectMissing(probe.id("beta"))
    await probe.expectMissing(probe.id("alpha1"))
  }),
  test("answers the same however often and however many ask at once", async (probe) => {
    const id = probe.id("alpha")
    await probe.put(id, "asked often")
    const answers = await Promise.all(Array.from({ length: 32 }, () => probe.read(id)))
    assert.deepEqual(new Set(answers), new Set(["asked often"]))
  }),
  test("keeps several items apart", async (probe) => {
    const labels = ["alpha", "beta", "gamma", "delta"]
    for (const label of labels) await probe.put(probe.id(label), `secret of ${label}`)
    for (const label of labels) await probe.expectStored(probe.id(label), `secret of ${label}`)
  }),
  test("still answers after being told to forget what it cached", async (probe) => {
    const id = probe.id("alpha")
    await probe.put(id, "kept")
    await probe.expectStored(id, "kept")
    await succeeding(probe.provider.invalidate?.(id) ?? Effect.void, "invalidate")
    await succeeding(probe.provider.invalidate?.(probe.id("beta")) ?? Effect.void, "invalidate of an unknown id")
    await probe.expectStored(id, "kept")
  }),
]

const writeCases = ({ test }: Suite): ReadonlyArray<ContractCase> => [
  test("overwrites in place", async (probe) => {
    const id = probe.id("alpha")
    for (const value of ["first", "a second value that is longer", "3", "first"]) {
      await probe.write(id, value)
      await probe.expectStored(id, value)
    }
  }),
  test("deletes, and deleting again succeeds", async (probe) => {
    const id = probe.id("alpha")
    await probe.write(id, "short-lived")
    await probe.remove(id)
    await probe.expectMissing(id)
    await probe.remove(id)
    await probe.expectMissing(id)
  }),
  test("deletes what was never there without complaint", async (probe) => {
    await probe.remove(probe.id("never"))
    await probe.expectMissing(probe.id("never"))
  }),
  test("stores again after a delete", async (probe) => {
    const id = probe.id("alpha")
    await probe.write(id, "before")
    await probe.remove(id)
    await probe.write(id, "after")
    await probe.expectStored(id, "after")
  }),
  test("leaves other items alone when one is overwritten or deleted", async (probe) => {
    await probe.write(probe.id("alpha"), "stays")
    await probe.write(probe.id("beta"), "changes")
    await probe.write(probe.id("beta"), "changed")
    await probe.write(probe.id("gamma"), "goes")
    await probe.remove(probe.id("gamma"))
    await probe.expectStored(probe.id("alpha"), "stays")
    await probe.expectStored(probe.id("beta"), "changed")
    await probe.expectMissing(probe.id("gamma"))
  }),
  test("writes and deletes when an effect runs, not when it is made, and each time it runs", async (probe) => {
    const id = probe.id("alpha")
    const write = probe.set(id, "written")
    await probe.expectMissing(id)
    await succeeding(write, "set")
    const remove = probe.delete(id)
    await probe.expectStored(id, "written")
    await succeeding(remove, "delete")
    await probe.expectMissing(id)
    await succeeding(write, "the same set again")
    await probe.expectStored(id, "written")
  }),
]

const idCases = ({ can, test }: Suite): ReadonlyArray<ContractCase> => [
  test("knows none of the ids that break careless code", async (probe) => {
    await probe.put(probe.id("alpha"), "the only item")
    for (const { text } of [...hostileIds, ...malformedTexts]) await probe.expectMissing(text)
  }),
  ...hostileIds.flatMap(({ kind, text }) =>
    can.holdsId(text)
      ? [
          test(`keeps an item whose id is ${kind}`, async (probe) => {
            await probe.put(text, "under a hostile id")
            await probe.expectStored(text, "under a hostile id")
            if (can.listable) assert.ok((await probe.list()).some(({ id }) => id === text))
            if (!can.writable) return
            await probe.remove(text)
            await probe.expectMissing(text)
          }),
        ]
      : can.writable
        ? [test(`refuses to store under an id that is ${kind}`, (probe) => probe.expectRefused(text, canary("id")))]
        : [],
  ),
  ...lookAlikeIds.flatMap(({ kind, ids }) => {
    const held = ids.filter((id) => can.holdsId(id))
    return held.length === 0
      ? []
      : [
          test(`keeps ids apart that differ only by ${kind}`, async (probe) => {
            for (const [index, id] of held.entries()) {
              for (const other of ids.slice(ids.indexOf(id))) await probe.expectMissing(other)
              await probe.put(id, `value ${index}`)
            }
            for (const [index, id] of held.entries()) await probe.expectStored(id, `value ${index}`)
            for (const id of ids.filter((candidate) => !held.includes(candidate))) await probe.expectMissing(id)
            if (!can.writable) return
            for (const [index, id] of held.entries()) {
              await probe.remove(id)
              for (const [later, other] of held.entries()) {
                if (later > index) await probe.expectStored(other, `value ${later}`)
              }
            }
          }),
        ]
  }),
  ...(can.writable
    ? [
        test("keeps ids apart that are not well-formed UTF-16, or refuses them", async (probe) => {
          const kept: Array<string> = []
          for (const { text: id } of [...malformedTexts, { text: "\ufffd" }]) {
            await probe.expectMissing(id)
            const exit = await settled(probe.set(id, `value ${kept.length}`), "set under a malformed id")
            if (Exit.isSuccess(exit)) kept.push(id)
            else assert.equal(failureOf(exit, "set")._tag, "ProviderDeniedError")
          }
          for (const [index, id] of kept.entries()) await probe.expectStored(id, `value ${index}`)
        }),
      ]
    : []),
]

const valueCases = ({ can, test }: Suite): ReadonlyArray<ContractCase> => [
  ...hostileValues.flatMap(({ kind, text }) =>
    can.holdsValue(text)
      ? [
          test(`gives back ${kind} exactly`, async (probe) => {
            await probe.put(probe.id("alpha"), text)
            await probe.expectStored(probe.id("alpha"), text)
          }),
        ]
      : can.writable
        ? [
            test(`refuses ${kind} rather than altering it`, async (probe) => {
              await probe.write(probe.id("alpha"), "the former value")
              await probe.expectRefused(probe.id("alpha"), text)
              await probe.expectRefused(probe.id("beta"), text)
            }),
          ]
        : [],
  ),
  ...(can.writable || can.malformedValues === "kept" ? malformedTexts : []).map(({ kind, text }) =>
    test(`keeps or refuses ${kind}, and never alters it`, async (probe) => {
      const id = probe.id("alpha")
      const value = `a secret of its own: ${text}`
      if (!can.writable) {
        await probe.put(id, value)
        return probe.expectStored(id, value)
      }
      await probe.write(id, "the former value")
      const exit = await settled(probe.set(id, value), "set of malformed text")
      if (can.malformedValues !== undefined) {
        assert.equal(Exit.isSuccess(exit) ? "kept" : "refused", can.malformedValues)
      }
      if (Exit.isSuccess(exit)) return probe.expectStored(id, value)
      assert.equal(failureOf(exit, "set")._tag, "ProviderDeniedError")
      await probe.expectStored(id, "the former value")
    }),
  ),
]

const listCases = ({ can, test }: Suite): ReadonlyArray<ContractCase> => [
  test("lists each item once, in a stable order, by an id that reads", async (probe) => {
    const ids = ["delta", "alpha", "gamma", "beta"].map((label) => probe.id(label))
    for (const id of ids) await probe.put(id, `secret under ${id}`)
    const items = await probe.list()
    for (const { id, name } of items) {
      assert.ok(typeof id === "string" && typeof name === "string", "An item has a textual id and name.")
      assert.notEqual(await probe.read(id), undefined, `list() shows ${shown(id)}, which get() does not find.`)
    }
    for (const id of ids)
      assert.equal(items.filter((item) => item.id === id).length, 1, `${shown(id)} is not listed once.`)
    assert.deepEqual(await probe.list(), items, "The order changed between two calls.")
    if (!can.writable) return
    await probe.write(probe.id("gamma"), "overwritten")
    assert.deepEqual(await probe.list(), items, "Overwriting an item moved it.")
    await probe.remove(probe.id("gamma"))
    assert.deepEqual(
      await probe.list(),
      items.filter(({ id }) => id !== probe.id("gamma")),
    )
  }),
  test("shows no secret in its list", async (probe) => {
    const secrets = ["alpha", "beta"].map((label) => ({ id: probe.id(label), value: canary(label) }))
    for (const { id, value } of secrets) await probe.put(id, value)
    new CanaryScanner(secrets.map(({ value }) => value)).expectNone(await probe.list(), "the list")
  }),
]

const parallelCases = ({ can, test }: Suite): ReadonlyArray<ContractCase> =>
  can.writable
    ? [
        test("loses nothing when many write different items at once", async (probe) => {
          const items = Array.from({ length: 40 }, (_, index) => [probe.id(`item${index}`), `value ${index}`] as const)
          await Promise.all(items.map(([id, value]) => probe.write(id, value)))
          for (const [id, value] of items) await probe.expectStored(id, value)
        }),
        test("ends with one of the values whole when many write the same item at once", async (probe) => {
          const id = probe.id("alpha")
          const values = Array.from({ length: 12 }, (_, index) => `${index}:`.repeat(200 + index * 40))
          const seen: Array<string | undefined> = []
          await Promise.all(
            values.flatMap((value) => [probe.write(id, value), probe.read(id).then((found) => void seen.push(found))]),
          )
          const last = await probe.read(id)
          for (const found of [...seen.filter((value) => value !== undefined), last]) {
            assert.ok(found !== undefined && values.includes(found), "A read saw a value that nobody wrote.")
          }
          assert.ok((await probe.read(id)) === last, "The value changed with nobody writing.")
        }),
        test("keeps writes and deletes of other items apart when all happen at once", async (probe) => {
          const ids = Array.from({ length: 20 }, (_, index) => probe.id(`item${index}`))
          for (const id of ids) await probe.write(id, "before")
          await Promise.all(ids.map((id, index) => (index % 2 === 0 ? probe.remove(id) : probe.write(id, "after"))))
          for (const [index, id] of ids.entries()) {
            if (index % 2 === 0) await probe.expectMissing(id)
            else await probe.expectStored(id, "after")
          }
        }),
      ]
    : []

const cancellationCases = ({ can, test }: Suite): ReadonlyArray<ContractCase> => [
  test("ends when a read is interrupted, and still answers afterwards", async (probe) => {
    const id = probe.id("alpha")
    await probe.put(id, "still here")
    await Promise.all(Array.from({ length: 8 }, () => interrupted(probe.provider.get(id), "get")))
    await probe.expectStored(id, "still here")
  }),
  ...(can.writable
    ? [
        test("holds the old or the new value, whole, when a write is interrupted", async (probe) => {
          const id = probe.id("alpha")
          await probe.write(id, "the old value")
          for (let round = 0; round < 8; round++) {
            const exit = await interrupted(probe.set(id, "the new value"), "set")
            const found = await probe.read(id)
            assert.ok(
              found === "the new value" || found === "the old value",
              "An interrupted write left another value.",
            )
            if (Exit.isSuccess(exit)) assert.ok(found === "the new value", "An acknowledged write was lost.")
          }
          await probe.write(id, "written afterwards")
          await probe.expectStored(id, "written afterwards")
        }),
      ]
    : []),
  ...(can.stallable
    ? [
        test("stops waiting for a backend that hangs when the caller gives up", async (probe) => {
          const id = probe.id("alpha")
          await probe.put(id, "still here")
          await hang(probe)
          const exit = await interrupted(probe.provider.get(id), "get", nextTurn())
          assert.ok(Exit.isFailure(exit), "A read of a hanging backend answered.")
          await wake(probe)
          await probe.expectStored(id, "still here")
        }),
        test("is given up at its limit when its backend hangs, and answers again later", async (probe) => {
          const id = probe.id("alpha")
          await probe.put(id, "still here")
          await hang(probe)
          const { key, writable } = probe.provider
          const limited = { key, writable, timeoutMs: 50, get: (asked: string) => probe.provider.get(asked) }
          const exit = await settled(new CredentialProviders([limited], 50).read(key, id), "a limited read")
          assert.ok(failureOf(exit, "a limited read") instanceof ProviderTimeoutError)
          await wake(probe)
          await probe.expectStored(id, "still here")
        }),
      ]
    : []),
]

const failureCases = ({ can, test }: Suite): ReadonlyArray<ContractCase> =>
  can.failures.map((failure) =>
    test(`fails typed and names no secret when its backend breaks: ${failure}`, async (probe) => {
      assert.ok(probe.subject.breakBackend, "The capability `failures` needs `breakBackend`.")
      const [id, stored, pasted] = [probe.id("alpha"), canary("stored"), canary("pasted")]
      await probe.put(id, stored)
      await probe.subject.breakBackend(failure, id)
      const scanner = new CanaryScanner([stored, pasted])
      const error = expectTyped(await settled(probe.provider.get(id), "get"), "get", probe)
      scanner.expectNone(error, "the error of get()")
      for (const [call, effect] of otherCalls(probe, id, pasted)) {
        const exit = await settled(effect, call)
        if (Exit.isFailure(exit)) scanner.expectNone(expectTyped(exit, call, probe), `the error of ${call}`)
        scanner.expectNone(exit, `the exit of ${call}`)
      }
    }),
  )

const closedCases = ({ test }: Suite): ReadonlyArray<ContractCase> => [
  test("fails every call as unavailable once it is closed, and names no secret", async (probe) => {
    const [id, stored, pasted] = [probe.id("alpha"), canary("stored"), canary("pasted")]
    await probe.put(id, stored)
    await probe.expectStored(id, stored)
    await close(probe)
    const scanner = new CanaryScanner([stored, pasted])
    for (const [call, effect] of [["get", probe.provider.get(id)] as const, ...otherCalls(probe, id, pasted)]) {
      const failure = expectTyped(await settled<unknown, ProviderError>(effect, call), call, probe)
      assert.equal(failure._tag, "ProviderUnavailableError", `${call} on a closed provider is unavailable.`)
      scanner.expectNone(failure, `the error of ${call}`)
    }
  }),
  test("ends what is under way when it is closed", async (probe) => {
    const id = probe.id("alpha")
    await probe.put(id, "before")
    const calls: ReadonlyArray<readonly [string, Effect.Effect<unknown, ProviderError>]> = [
      ["get", probe.provider.get(id)],
      ...otherCalls(probe, id, "after"),
    ]
    const running = calls.map(([call, effect]) => [call, settled(effect, call)] as const)
    await close(probe)
    for (const [call, exit] of running) {
      const ended = await exit
      if (Exit.isFailure(ended)) expectTyped(ended, call, probe)
    }
  }),
]

const otherCalls = (
  { provider }: Probe,
  id: string,
  value: string,
): ReadonlyArray<readonly [string, Effect.Effect<unknown, ProviderError>]> => [
  ...(provider.has ? [["has", provider.has(id)] as const] : []),
  ...(provider.set ? [["set", provider.set(id, Redacted.make(value))] as const] : []),
  ...(provider.delete ? [["delete", provider.delete(id)] as const] : []),
  ...(provider.list ? [["list", provider.list()] as const] : []),
]

const expectTyped = (exit: Exit.Exit<unknown, ProviderError>, call: string, probe: Probe): ProviderError => {
  const failure = failureOf(exit, call)
  assert.ok(isProviderError(failure), `${call} failed with something that is not a provider error.`)
  assert.equal(failure.provider, probe.provider.key, "An error names its provider.")
  return failure
}

const close = async ({ provider }: Probe): Promise<void> => {
  const call = provider.close?.()
  assert.ok(call, "The provider has no close(); pass `closable: false` if it holds nothing open.")
  await succeeding(call, "close")
}

const hang = async ({ subject }: Probe): Promise<void> => {
  assert.ok(subject.stall && subject.resume, "The capability `stallable` needs `stall` and `resume`.")
  await subject.stall()
}

const wake = async ({ subject }: Probe): Promise<void> => subject.resume?.()

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const expectSame = (found: string | undefined, value: string, id: string): void => {
  if (found === value) return
  assert.fail(
    found === undefined
      ? `get(${shown(id)}) did not find what was stored.`
      : `get(${shown(id)}) answered with ${shown(found)} (${found.length} code units) where ${shown(value)} (${value.length}) was stored.`,
  )
}

const shown = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
