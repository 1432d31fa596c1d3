/**
 * Writes several items of one provider in order, all or none.
 *
 * Called when a connection or an OAuth app is created or replaced. Undoing puts back what was there before, so that a failed
 * replacement does not cost the old secret: the one time when a provider is read at create.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { ProviderError } from "../../credential/CredentialError.ts"
import type { CredentialProviders, WritableProvider } from "../../credential/CredentialProviders.ts"

/** One item to write. */
export interface ItemWrite {
  readonly id: string
  readonly value: Redacted.Redacted
  /** Whether there may be one of that id already, to be put back on undoing. */
  readonly isReplacing: boolean
}

/**
 * Writes the items and answers how to undo that. A write that fails has been undone already.
 *
 * An old value that is damaged for good does not keep a new one out.
 */
export const writeItems = (
  providers: CredentialProviders,
  provider: WritableProvider,
  writes: ReadonlyArray<ItemWrite>,
): Effect.Effect<Effect.Effect<void>, ProviderError> => {
  const undo: Array<Effect.Effect<void>> = []
  const undoAll = Effect.suspend(() => Effect.forEach([...undo].reverse(), (one) => one, { discard: true }))
  const writeAll = Effect.gen(function* () {
    for (const { id, value, isReplacing } of writes) {
      const before = isReplacing
        ? yield* Effect.catchTag(
            providers.call(provider, () => provider.get(id)),
            "ProviderDeniedError",
            () => Effect.undefined,
          )
        : undefined
      undo.push(
        Effect.suspend(() =>
          Effect.ignore(
            providers.call(provider, () => (before === undefined ? provider.delete(id) : provider.set(id, before))),
          ),
        ),
      )
      yield* providers.call(provider, () => provider.set(id, value))
    }
  })
  return Effect.as(
    Effect.tapError(writeAll, () => undoAll),
    undoAll,
  )
}
