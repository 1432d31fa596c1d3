/**
 * Secrets in this process's memory: for tests, quickstarts, and hosts that paste a credential per run.
 *
 * What it holds is gone when the process ends, and can be read by whoever can read the process's memory.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { ProviderUnavailableError } from "../credential/CredentialError.ts"
import type { CredentialProvider } from "../credential/CredentialProvider.ts"

/** Options of {@link memoryProvider}. */
export interface MemoryProviderOptions {
  /** Default: `"memory"`. */
  readonly key?: string | undefined
  /** Items to begin with, by id. */
  readonly items?: Readonly<Record<string, string>> | undefined
}

/** A writable, listable provider that keeps everything in memory. */
export const memoryProvider = (options: MemoryProviderOptions = {}): CredentialProvider => {
  const key = options.key ?? "memory"
  const items = new Map<string, Redacted.Redacted>()
  for (const [id, value] of Object.entries(options.items ?? {})) items.set(id, Redacted.make(value))
  let isClosed = false
  const whenOpen = <A>(read: () => Effect.Effect<A>): Effect.Effect<A, ProviderUnavailableError> =>
    isClosed ? Effect.fail(closed(key)) : read()
  return {
    key,
    writable: true,
    get: (id) => whenOpen(() => Effect.succeed(items.get(id))),
    has: (id) => whenOpen(() => Effect.succeed(items.has(id))),
    set: (id, value) =>
      whenOpen(() =>
        Effect.sync(() => {
          items.set(id, value)
        }),
      ),
    delete: (id) =>
      whenOpen(() =>
        Effect.sync(() => {
          items.delete(id)
        }),
      ),
    list: () => whenOpen(() => Effect.succeed([...items.keys()].sort().map((id) => ({ id, name: id })))),
    close: () =>
      Effect.sync(() => {
        isClosed = true
        items.clear()
      }),
  }
}

const closed = (provider: string): ProviderUnavailableError =>
  new ProviderUnavailableError({
    provider,
    reason: "closed",
    nextStep: "The executor that owned it was closed; create a new one.",
  })
