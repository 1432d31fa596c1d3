/**
 * What a provider's author hands to the contract suite, and the probe through which its cases speak to the provider.
 *
 * The probe works with plain strings, expects every call to end, and says in words what is missing or wrong.
 */
import * as assert from "node:assert/strict"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import { isProviderError, type ProviderError } from "../credential/CredentialError.ts"
import type { CredentialProvider, ProviderItem } from "../credential/CredentialProvider.ts"
import { CanaryScanner } from "./canary.ts"
import { type ContractCase, failureOf, settled, succeeding } from "./ContractCase.ts"

/** A call of a provider that a hanging backend can hold up. */
export type ProviderCall = "get" | "has" | "set" | "delete" | "list"

/** A fresh provider with the handles the contract needs; made anew for each case. */
export interface ProviderUnderTest {
  readonly provider: CredentialProvider
  /** Puts an item where the provider reads, behind its back. Required of providers that cannot be written. */
  readonly seed?: ((id: string, value: string) => PromiseLike<void> | void) | undefined
  /** From now on the backend does not answer the calls listed in the capability `stalls`. */
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
  /** The calls that hang between the subject's `stall` and `resume`. Default: none, and cancellation is checked without a hanging backend. */
  readonly stalls?: ReadonlyArray<ProviderCall> | undefined
  /** Names of the ways in which the subject's `breakBackend` can make a read fail. Default: none. */
  readonly failures?: ReadonlyArray<string> | undefined
  /** Keys of other providers that its errors may name, for one that asks others. Its own key is always allowed. */
  readonly errorKeys?: ReadonlyArray<string> | undefined
  /** Turns a plain label (lower-case letters and digits) into an id of the provider's own grammar. Default: the label itself. */
  readonly idOf?: ((label: string) => string) | undefined
  /** Whether the backend can hold an item under this id. Others must be `undefined` to `get` and refused by `set`. Default: all. */
  readonly acceptedIds?: ((id: string) => boolean) | undefined
  /** Whether the backend can hold this value, which is well-formed text. Others must be refused by `set`. Default: all. */
  readonly acceptedValues?: ((value: string) => boolean) | undefined
  /** Longest value the backend can hold, in bytes of UTF-8. Default: no limit. */
  readonly maximumValueBytes?: number | undefined
  /** What becomes of text that is not well-formed UTF-16. Default: either, but never an altered value. */
  readonly malformedValues?: "kept" | "refused" | undefined
}

/** What `providerContract` takes: a provider, or one with its handles, fresh on each call. */
export type MakeProvider = () =>
  CredentialProvider | ProviderUnderTest | PromiseLike<CredentialProvider | ProviderUnderTest>

/** Capabilities with their defaults filled in. */
interface ResolvedCapabilities {
  readonly writable: boolean
  readonly listable: boolean
  readonly closable: boolean
  readonly stalls: ReadonlyArray<ProviderCall>
  readonly failures: ReadonlyArray<string>
  readonly errorKeys: ReadonlyArray<string>
  readonly idOf: (label: string) => string
  readonly holdsId: (id: string) => boolean
  readonly holdsValue: (value: string) => boolean
  readonly malformedValues: "kept" | "refused" | undefined
}

/** The cases of one suite as they are collected: `test` adds one. */
export interface ProviderSuite {
  readonly can: ResolvedCapabilities
  readonly cases: ReadonlyArray<ContractCase>
  readonly test: (name: string, check: (probe: ProviderProbe) => Promise<void>) => void
}

/** Starts an empty suite; each case makes its own subject, closes it and disposes of it. */
export const providerSuite = (make: MakeProvider, capabilities: ProviderCapabilities): ProviderSuite => {
  const can = resolved(capabilities)
  const cases: Array<ContractCase> = []
  const run = async (check: (probe: ProviderProbe) => Promise<void>): Promise<void> => {
    const made = await make()
    const subject = "provider" in made ? made : { provider: made }
    try {
      await check(new ProviderProbe(subject, can))
    } finally {
      await Effect.runPromise(Effect.ignoreCause(subject.provider.close?.() ?? Effect.void))
      await subject.dispose?.()
    }
  }
  return { can, cases, test: (name, check) => void cases.push({ name, run: () => run(check) }) }
}

const resolved = (capabilities: ProviderCapabilities): ResolvedCapabilities => {
  const { acceptedValues, maximumValueBytes = Number.POSITIVE_INFINITY } = capabilities
  return {
    writable: capabilities.writable ?? true,
    listable: capabilities.listable ?? true,
    closable: capabilities.closable ?? true,
    stalls: capabilities.stalls ?? [],
    failures: capabilities.failures ?? [],
    errorKeys: capabilities.errorKeys ?? [],
    idOf: capabilities.idOf ?? ((label) => label),
    holdsId: capabilities.acceptedIds ?? (() => true),
    holdsValue: (value) => Buffer.byteLength(value) <= maximumValueBytes && (acceptedValues?.(value) ?? true),
    malformedValues: capabilities.malformedValues,
  }
}

/** The provider as the cases speak to it; see the file's header. */
class ProviderProbe {
  readonly provider: CredentialProvider
  readonly subject: ProviderUnderTest
  readonly #can: ResolvedCapabilities

  constructor(subject: ProviderUnderTest, can: ResolvedCapabilities) {
    this.subject = subject
    this.provider = subject.provider
    this.#can = can
  }

  /** An id of the provider's own grammar. */
  id(label: string): string {
    return this.#can.idOf(label)
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

  close(): Effect.Effect<void> {
    const call = this.provider.close?.()
    assert.ok(call, "The provider has no close(); pass `closable: false` if it holds nothing open.")
    return call
  }

  /** Every call the provider has, with the arguments it would get; none has run yet. */
  calls(id: string, value: string): ReadonlyArray<readonly [ProviderCall, Effect.Effect<unknown, ProviderError>]> {
    const { provider } = this
    const calls: Array<readonly [ProviderCall, Effect.Effect<unknown, ProviderError> | undefined]> = [
      ["get", provider.get(id)],
      ["has", provider.has?.(id)],
      ["set", provider.set?.(id, Redacted.make(value))],
      ["delete", provider.delete?.(id)],
      ["list", provider.list?.()],
    ]
    return calls.flatMap(([call, effect]) => (effect === undefined ? [] : [[call, effect] as const]))
  }

  async read(id: string): Promise<string | undefined> {
    const value = await succeeding(this.provider.get(id), `get(${shown(id)})`)
    if (value === undefined) return undefined
    assert.ok(Redacted.isRedacted(value), "get() answered with something that is not a Redacted.")
    return Redacted.value(value)
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

  async list(): Promise<ReadonlyArray<ProviderItem>> {
    const call = this.provider.list?.()
    assert.ok(call, "The provider has no list(); pass `listable: false` if it cannot list.")
    return succeeding(call, "list()")
  }

  async stall(): Promise<void> {
    assert.ok(this.subject.stall && this.subject.resume, "The capability `stalls` needs `stall` and `resume`.")
    await this.subject.stall()
  }

  async resume(): Promise<void> {
    await this.subject.resume?.()
  }

  async breakBackend(failure: string, id: string): Promise<void> {
    assert.ok(this.subject.breakBackend, "The capability `failures` needs `breakBackend`.")
    await this.subject.breakBackend(failure, id)
  }

  async expectStored(id: string, value: string): Promise<void> {
    const found = await this.read(id)
    if (found === undefined) return assert.fail(`get(${shown(id)}) did not find what was stored.`)
    const lengths = `${found.length} code units where ${value.length} were stored`
    assert.ok(found === value, `get(${shown(id)}) answered with another value: ${shown(found)}, ${lengths}.`)
    assert.ok((await this.#has(id)) ?? true, `has(${shown(id)}) denies what get() finds.`)
  }

  async expectMissing(id: string): Promise<void> {
    assert.ok((await this.read(id)) === undefined, `get(${shown(id)}) found an item that is not there.`)
    assert.ok(!(await this.#has(id)), `has(${shown(id)}) claims an item that get() does not find.`)
  }

  /** A write that must be refused for good, with the former item left as it was and the value named nowhere. */
  async expectRefused(id: string, value: string): Promise<void> {
    const before = await this.read(id)
    const error = this.expectTyped(await settled(this.set(id, value), `set(${shown(id)})`), "set")
    assert.equal(error._tag, "ProviderDeniedError", "A write that can never succeed is refused as denied.")
    if (value.length >= 8) new CanaryScanner([value]).expectNone(error, "the refusal")
    assert.ok((await this.read(id)) === before, `A refused set(${shown(id)}) changed what is stored.`)
  }

  /** The failure of a call, which must be one of the provider errors and name this provider. */
  expectTyped(exit: Exit.Exit<unknown, ProviderError>, call: string): ProviderError {
    const failure = failureOf(exit, call)
    assert.ok(isProviderError(failure), `${call} failed with something that is not a provider error.`)
    const keys = [this.provider.key, ...this.#can.errorKeys]
    assert.ok(keys.includes(failure.provider), `The error of ${call} names a provider other than ${keys.join(", ")}.`)
    return failure
  }

  async #has(id: string): Promise<boolean | undefined> {
    const call = this.provider.has?.(id)
    return call === undefined ? undefined : succeeding(call, `has(${shown(id)})`)
  }
}

/** Text for a message: quoted and cut. */
export const shown = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
