/**
 * The contract between Keyward and the places where secrets live: a keychain, a vault, a file, an environment.
 *
 * Implemented by provider packages on the Effect surface and by anyone else through {@link credentialProvider}; called by
 * the executor alone. `providerContract` in `@keyward/core/testing` holds an implementation to these sentences.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import {
  isProviderError,
  ProviderDeniedError,
  type ProviderError,
  ProviderUnavailableError,
} from "./CredentialError.ts"

/** One item as {@link CredentialProvider.list} shows it: what to pass as an id, and what to show a person. */
export interface ProviderItem {
  readonly id: string
  readonly name: string
}

/**
 * A place where secrets live, for authors who write with Effect.
 *
 * Ids are opaque and compared exactly, code unit by code unit; an implementation escapes them as its backend needs. Any
 * string may be asked for: an id that the backend could never hold is simply not here.
 */
export interface CredentialProvider {
  /** Names the provider on connections and in `from: { provider }`. Unique within an executor. */
  readonly key: string
  /** Whether {@link CredentialProvider.set} and {@link CredentialProvider.delete} are there and may be used. */
  readonly writable: boolean
  /** Limit of one call in milliseconds; default: the executor's `providerTimeoutMs`. For providers that ask a person. */
  readonly timeoutMs?: number | undefined
  /**
   * Reads one secret by the provider's own opaque id.
   *
   * Called once per variable each time a request is about to be sent, not when a connection is created; only replacing a
   * pasted value reads the old one, to put it back should the replacement fail. Return `undefined` when the id is unknown here. Fail only when the id is ours and cannot be read: `ProviderUnavailableError` (locked,
   * offline: worth retrying) or `ProviderDeniedError` (it is not). Interruption must stop the work.
   */
  get(id: string): Effect.Effect<Redacted.Redacted | undefined, ProviderError>
  /** Whether {@link CredentialProvider.get} would find the id, without reading the secret. */
  has?(id: string): Effect.Effect<boolean, ProviderError>
  /** Stores a secret, replacing what was there. Returns only when the value is as durable as the backend makes it. */
  set?(id: string, value: Redacted.Redacted): Effect.Effect<void, ProviderError>
  /** Deletes an item. Deleting what is not there succeeds. */
  delete?(id: string): Effect.Effect<void, ProviderError>
  /** Lists items a person may pick from, in a stable order, without reading secrets. */
  list?(): Effect.Effect<ReadonlyArray<ProviderItem>, ProviderError>
  /** Forgets what is cached for an id: an API has just rejected the value. The next {@link CredentialProvider.get} reads it anew. */
  invalidate?(id: string): Effect.Effect<void>
  /**
   * Releases what the provider holds open. Called by `executor.close()`; calling it again does nothing. Later calls of the
   * other methods fail with `ProviderUnavailableError`.
   */
  close?(): Effect.Effect<void>
}

/** What a Promise-style handler of {@link credentialProvider} is told besides its arguments. */
export interface ProviderCallOptions {
  /** Aborted when the caller gave up or the limit passed. */
  readonly signal: AbortSignal
}

/** A provider as Promise authors write it; the sentences of {@link CredentialProvider} hold, with plain strings. */
export interface CredentialProviderDefinition {
  readonly key: string
  /** Default: whether `set` is given. */
  readonly writable?: boolean | undefined
  readonly timeoutMs?: number | undefined
  readonly get: (
    id: string,
    options: ProviderCallOptions,
  ) => PromiseLike<string | Redacted.Redacted | undefined> | string | Redacted.Redacted | undefined
  readonly has?: ((id: string, options: ProviderCallOptions) => PromiseLike<boolean> | boolean) | undefined
  readonly set?: ((id: string, value: string, options: ProviderCallOptions) => PromiseLike<void> | void) | undefined
  readonly delete?: ((id: string, options: ProviderCallOptions) => PromiseLike<void> | void) | undefined
  readonly list?:
    | ((options: ProviderCallOptions) => PromiseLike<ReadonlyArray<ProviderItem>> | ReadonlyArray<ProviderItem>)
    | undefined
  readonly invalidate?: ((id: string) => PromiseLike<void> | void) | undefined
  readonly close?: (() => PromiseLike<void> | void) | undefined
}

/**
 * Makes a provider from Promise-style handlers.
 *
 * A handler that throws one of the typed provider errors keeps it. Anything else becomes `ProviderUnavailableError` with
 * the reason `failed`, and its text is dropped, because it may quote the secret.
 *
 * @example
 * ```ts
 * import { credentialProvider } from "@keyward/core"
 *
 * const secrets = new Map([["billing", "s3cr3t"]])
 * const vault = credentialProvider({ key: "vault", get: async (id) => secrets.get(id) })
 * ```
 */
export const credentialProvider = (definition: CredentialProviderDefinition): CredentialProvider => {
  const { key, get, has, set, list, invalidate, close } = definition
  const remove = definition.delete
  const attempt = <A>(call: (signal: AbortSignal) => PromiseLike<A> | A): Effect.Effect<A, ProviderError> =>
    Effect.tryPromise({ try: async (signal) => call(signal), catch: (thrown) => typedFailure(key, thrown) })
  return {
    key,
    writable: definition.writable ?? set !== undefined,
    ...(definition.timeoutMs === undefined ? {} : { timeoutMs: definition.timeoutMs }),
    get: (id) =>
      Effect.flatMap(
        attempt((signal) => get(id, { signal })),
        (value) => wrapped(key, value),
      ),
    ...(has && { has: (id: string) => attempt((signal) => has(id, { signal })) }),
    ...(set && {
      set: (id: string, value: Redacted.Redacted) => attempt((signal) => set(id, Redacted.value(value), { signal })),
    }),
    ...(remove && { delete: (id: string) => attempt((signal) => remove(id, { signal })) }),
    ...(list && { list: () => attempt((signal) => list({ signal })) }),
    ...(invalidate && { invalidate: (id: string) => Effect.ignore(attempt(() => invalidate(id))) }),
    ...(close && { close: () => Effect.ignore(attempt(() => close())) }),
  }
}

const wrapped = (key: string, value: unknown): Effect.Effect<Redacted.Redacted | undefined, ProviderDeniedError> => {
  if (value === undefined || value === null) return Effect.undefined
  if (Redacted.isRedacted(value)) return Effect.succeed(value as Redacted.Redacted)
  if (typeof value === "string") return Effect.succeed(Redacted.make(value))
  return Effect.fail(
    new ProviderDeniedError({
      provider: key,
      reason: "invalid_value",
      nextStep: `Its get() answered with ${typeof value} where text or undefined is expected.`,
    }),
  )
}

const typedFailure = (key: string, thrown: unknown): ProviderError =>
  isProviderError(thrown)
    ? thrown
    : new ProviderUnavailableError({
        provider: key,
        reason: "failed",
        nextStep:
          "Its backend raised an error, which is not repeated here because it may hold the secret. See the backend's own log, then try again.",
      })
