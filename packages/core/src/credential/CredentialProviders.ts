/**
 * The providers of one executor: looked up by key, called under a time limit.
 *
 * Built by `createExecutor`; every provider call of the executor goes through here, so that none can wait forever.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Redacted from "effect/Redacted"
import {
  CredentialProviderNotRegisteredError,
  isProviderError,
  ProviderDeniedError,
  type ProviderError,
  ProviderTimeoutError,
  ProviderUnavailableError,
} from "./CredentialError.ts"
import type { CredentialProvider, ProviderItem } from "./CredentialProvider.ts"

/** A writable provider with its writing half known to be there. */
export interface WritableProvider extends CredentialProvider {
  set(id: string, value: Redacted.Redacted): Effect.Effect<void, ProviderError>
  delete(id: string): Effect.Effect<void, ProviderError>
}

/** The registry; see the file's header. */
export class CredentialProviders {
  readonly keys: ReadonlyArray<string>
  readonly #byKey: ReadonlyMap<string, CredentialProvider>
  readonly #writable: WritableProvider | undefined
  readonly #timeoutMs: number

  /** `timeoutMs` limits each call of a provider that declares no limit of its own. Keys are expected to be unique. */
  constructor(providers: ReadonlyArray<CredentialProvider>, timeoutMs: number) {
    this.keys = providers.map((provider) => provider.key)
    this.#byKey = new Map(providers.map((provider) => [provider.key, provider]))
    this.#writable = providers.find(isWritable)
    this.#timeoutMs = timeoutMs
  }

  /** The provider of that key, or `CredentialProviderNotRegisteredError`. */
  get(key: string): Effect.Effect<CredentialProvider, CredentialProviderNotRegisteredError> {
    const provider = this.#byKey.get(key)
    return provider === undefined ? Effect.fail(this.#missing(key)) : Effect.succeed(provider)
  }

  /** The provider of that key if it can be written, else `undefined`. */
  writableOf(key: string): WritableProvider | undefined {
    const provider = this.#byKey.get(key)
    return provider !== undefined && isWritable(provider) ? provider : undefined
  }

  /** The first writable provider in the order of registration: it receives pasted values and minted tokens. */
  defaultWritable(): Effect.Effect<WritableProvider, CredentialProviderNotRegisteredError> {
    return this.#writable === undefined ? Effect.fail(this.#missing(null)) : Effect.succeed(this.#writable)
  }

  /** Reads one item under the provider's limit. */
  read(
    key: string,
    id: string,
  ): Effect.Effect<Redacted.Redacted | undefined, ProviderError | CredentialProviderNotRegisteredError> {
    const provider = this.#byKey.get(key)
    return provider === undefined ? Effect.fail(this.#missing(key)) : this.call(provider, () => provider.get(id))
  }

  /** The same past what the provider keeps in memory: as it is stored now. */
  readAnew(
    key: string,
    id: string,
  ): Effect.Effect<Redacted.Redacted | undefined, ProviderError | CredentialProviderNotRegisteredError> {
    const provider = this.#byKey.get(key)
    if (provider?.invalidate === undefined) return this.read(key, id)
    const forget = this.call(provider, () => provider.invalidate?.(id) ?? Effect.void)
    return Effect.flatMap(Effect.ignore(forget), () => this.read(key, id))
  }

  /** Lists what a person may pick from a provider; a provider that cannot list answers with `ProviderDeniedError`. */
  items(key: string): Effect.Effect<ReadonlyArray<ProviderItem>, ProviderError | CredentialProviderNotRegisteredError> {
    return Effect.flatMap(this.get(key), (provider) =>
      provider.list === undefined
        ? Effect.fail(
            new ProviderDeniedError({
              provider: key,
              reason: "not_listable",
              nextStep: "This provider cannot list its items; enter the id by hand.",
            }),
          )
        : this.call(provider, () => provider.list?.() ?? Effect.succeed([])),
    )
  }

  /** Calls a provider under its limit. What it throws instead of failing is dropped: it may quote the secret. */
  call<A>(provider: CredentialProvider, start: () => Effect.Effect<A, ProviderError>): Effect.Effect<A, ProviderError> {
    try {
      const call: unknown = start()
      return Effect.isEffect(call)
        ? this.limited(provider, call as Effect.Effect<A, ProviderError>)
        : Effect.fail(notAnEffect(provider.key))
    } catch {
      return Effect.fail(defect(provider.key))
    }
  }

  /** Puts the provider's limit on one of its calls; a call that has succeeded already costs nothing. */
  limited<A>(provider: CredentialProvider, call: Effect.Effect<A, ProviderError>): Effect.Effect<A, ProviderError> {
    if (Exit.isExit(call) && Exit.isSuccess(call)) return call
    const timeoutMs = provider.timeoutMs ?? this.#timeoutMs
    return Effect.timeoutOrElse(
      Effect.catch(
        Effect.catchDefect(call, () => Effect.fail(defect(provider.key))),
        (error: unknown) => Effect.fail(isProviderError(error) ? error : defect(provider.key)),
      ),
      {
        duration: timeoutMs,
        orElse: () => Effect.fail(new ProviderTimeoutError({ provider: provider.key, timeoutMs })),
      },
    )
  }

  /** Closes every provider; one that fails does not keep the others open. */
  close(): Effect.Effect<void> {
    return Effect.forEach(
      [...this.#byKey.values()],
      (provider) => Effect.ignoreCause(provider.close?.() ?? Effect.void),
      {
        discard: true,
      },
    )
  }

  #missing(provider: string | null): CredentialProviderNotRegisteredError {
    return new CredentialProviderNotRegisteredError({ provider, registered: this.keys })
  }
}

const isWritable = (provider: CredentialProvider): provider is WritableProvider =>
  provider.writable && provider.set !== undefined && provider.delete !== undefined

const defect = (provider: string): ProviderUnavailableError =>
  new ProviderUnavailableError({
    provider,
    reason: "failed",
    nextStep: "The provider broke in a way it does not describe; see its own log, then try again.",
  })

const notAnEffect = (provider: string): ProviderDeniedError =>
  new ProviderDeniedError({
    provider,
    reason: "invalid_provider",
    nextStep:
      "Its methods do not return Effects; wrap a provider that is written with Promises in credentialProvider({...}).",
  })
