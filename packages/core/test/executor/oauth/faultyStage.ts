/**
 * Stores and providers that do what the real ones do, with something at every step: a count, a pause, a failure.
 */
import { type CredentialProvider, ProviderUnavailableError, type Store, StoreUnavailableError } from "@keyward/core"
import * as Effect from "effect/Effect"

/** Called before each operation; what it answers happens instead of it. */
export type Step = (operation: string) => Effect.Effect<void, "fail">

/** A store whose every operation takes a step first. */
export const steppingStore = (store: Store, step: Step): Store => ({
  ...store,
  accounts: stepping(store.accounts, "accounts", step, unavailable),
  connections: stepping(store.connections, "connections", step, unavailable),
  integrations: stepping(store.integrations, "integrations", step, unavailable),
  catalogs: stepping(store.catalogs, "catalogs", step, unavailable),
  oauth: {
    clients: stepping(store.oauth.clients, "clients", step, unavailable),
    sessions: stepping(store.oauth.sessions, "sessions", step, unavailable),
    revocations: stepping(store.oauth.revocations, "revocations", step, unavailable),
  },
  close: () => Effect.void,
})

/** A provider whose every operation takes a step first. */
export const steppingProvider = (provider: CredentialProvider, step: Step): CredentialProvider => {
  const outOfOrder = (operation: string): ProviderUnavailableError =>
    new ProviderUnavailableError({ provider: provider.key, reason: "out_of_order", nextStep: `Mend ${operation}.` })
  return stepping(provider, "provider", step, outOfOrder, { timeoutMs: 600_000, close: () => Effect.void })
}

const unavailable = (operation: string): StoreUnavailableError =>
  new StoreUnavailableError({ operation, reason: "out of order" })

/** Wraps every method that returns an effect. */
const stepping = <T extends object>(
  subject: T,
  name: string,
  step: Step,
  failure: (operation: string) => Error,
  instead: Partial<T> = {},
): T =>
  new Proxy(subject, {
    get: (target, property) => {
      if (property in instead) return Reflect.get(instead, property) as unknown
      const member: unknown = Reflect.get(target, property)
      if (typeof member !== "function") return member
      return (...input: ReadonlyArray<unknown>) => {
        const operation = `${name}.${String(property)}`
        const run = Effect.suspend(() => Reflect.apply(member, target, input) as Effect.Effect<unknown, unknown>)
        return Effect.andThen(
          Effect.mapError(step(operation), () => failure(operation)),
          run,
        )
      }
    },
  })
