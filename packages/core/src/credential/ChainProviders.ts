/**
 * Several credential providers behind one key, asked in order until one has the item.
 *
 * For references that live in different places on different machines: an environment variable in CI, a vault on a
 * laptop. "Not here" moves on to the next provider; "here, and broken" does not.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import { isNotFound, type ProviderError, ProviderTimeoutError, ProviderUnavailableError } from "./CredentialError.ts"
import type { CredentialProvider, ProviderItem } from "./CredentialProvider.ts"
import { InvalidProviderOptionsError } from "./ProviderOptionsError.ts"

/** Options of {@link chainProviders}. */
export interface ChainProvidersOptions {
  /** Default: `"chain"`. */
  readonly key?: string | undefined
}

/**
 * A read-only provider that asks others in order; the first that knows the id answers.
 *
 * An error of one ends the chain and carries that provider's own key: falling through a locked vault would send another
 * secret than the one asked for, or report a credential as missing that is only out of reach for a moment.
 *
 * `list` shows each id once, in the order of the chain, and is there when one of the providers can list; those that cannot
 * are left out. A provider with a `timeoutMs` of its own is given up at that limit; the chain then declares a limit that leaves
 * room for all of them. Closing the chain closes its providers.
 *
 * It is never writable: what is written behind a provider that already has the id could not be read back. To store as well,
 * register the writable provider beside the chain.
 *
 * @throws InvalidProviderOptionsError when there is no provider to ask.
 *
 * @example
 * ```ts
 * import { chainProviders, createExecutor, envProvider, memoryProvider } from "@keyward/core"
 *
 * const vault = memoryProvider({ key: "vault", items: { ACME_TOKEN: "s3cr3t" } })
 * const executor = await createExecutor({ providers: [chainProviders([envProvider({ allow: ["ACME_*"] }), vault])] })
 * ```
 */
export const chainProviders = (
  providers: ReadonlyArray<CredentialProvider>,
  options: ChainProvidersOptions = {},
): CredentialProvider => {
  const key = options.key ?? "chain"
  const members = [...providers]
  if (members.length === 0) {
    throw new InvalidProviderOptionsError({
      provider: key,
      option: "providers",
      problem: "Pass at least one provider.",
    })
  }
  let isClosed = false
  const whenOpen = <A>(ask: () => Effect.Effect<A, ProviderError>): Effect.Effect<A, ProviderError> =>
    Effect.suspend(() => (isClosed ? Effect.fail(closed(key)) : ask()))
  const timeoutMs = limitOf(members)
  return {
    key,
    writable: false,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    get: (id) => whenOpen(() => firstAnswer(members, id)),
    has: (id) => whenOpen(() => firstHolder(members, id)),
    ...(members.some((member) => member.list !== undefined) && { list: () => whenOpen(() => allItems(members)) }),
    invalidate: (id) => each(members, (member) => member.invalidate?.(id)),
    close: () =>
      Effect.suspend(() => {
        isClosed = true
        return each(members, (member) => member.close?.())
      }),
  }
}

type Members = ReadonlyArray<CredentialProvider>

const firstAnswer = Effect.fnUntraced(function* (members: Members, id: string) {
  for (const member of members) {
    const value: Redacted.Redacted | undefined = yield* elsewhere(limited(member, member.get(id)))
    if (value !== undefined) return value
  }
  return undefined
})

const firstHolder = Effect.fnUntraced(function* (members: Members, id: string) {
  for (const member of members) {
    const holds = member.has === undefined ? Effect.map(member.get(id), (value) => value !== undefined) : member.has(id)
    if ((yield* elsewhere(limited(member, holds))) === true) return true
  }
  return false
})

/** A member that says precisely what is not here has said that it is not here. */
const elsewhere = <A>(asked: Effect.Effect<A, ProviderError>): Effect.Effect<A | undefined, ProviderError> =>
  Effect.catch(asked, (error) => (isNotFound(error) ? Effect.undefined : Effect.fail(error)))

const allItems = Effect.fnUntraced(function* (members: Members) {
  const items = new Map<string, ProviderItem>()
  for (const member of members) {
    if (member.list === undefined) continue
    for (const item of yield* limited(member, member.list())) {
      if (!items.has(item.id)) items.set(item.id, item)
    }
  }
  return [...items.values()]
})

const each = (
  members: Members,
  tell: (member: CredentialProvider) => Effect.Effect<void> | undefined,
): Effect.Effect<void> =>
  Effect.forEach(members, (member) => Effect.ignoreCause(Effect.suspend(() => tell(member) ?? Effect.void)), {
    discard: true,
  })

const limited = <A>(
  member: CredentialProvider,
  call: Effect.Effect<A, ProviderError>,
): Effect.Effect<A, ProviderError> => {
  const { key, timeoutMs } = member
  return timeoutMs === undefined
    ? call
    : Effect.timeoutOrElse(call, {
        duration: timeoutMs,
        orElse: () => Effect.fail(new ProviderTimeoutError({ provider: key, timeoutMs })),
      })
}

/** What the members without a limit of their own share when another declares one: the executor's default. */
const sharedLimitMs = 15_000

const limitOf = (members: Members): number | undefined => {
  const declared = members.flatMap(({ timeoutMs }) => (timeoutMs === undefined ? [] : [timeoutMs]))
  if (declared.length === 0) return undefined
  const shared = declared.length === members.length ? 0 : sharedLimitMs
  return declared.reduce((sum, limit) => sum + limit, shared)
}

const closed = (provider: string): ProviderUnavailableError =>
  new ProviderUnavailableError({
    provider,
    reason: "closed",
    nextStep: "The executor that owned it was closed; create a new one.",
  })
