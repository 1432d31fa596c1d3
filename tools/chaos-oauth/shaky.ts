/** A store and a credential provider that fail now and then, before a write or after it, and take their time. */
import { memoryProvider, memoryStore, type Store } from "@keyward/core"
import {
  type CredentialProvider,
  type ProviderError,
  ProviderUnavailableError,
  StoreUnavailableError,
} from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { Random } from "./Random.ts"

/** How shaky they are at the moment, and what came of it. */
export interface Shakiness {
  readonly random: Random
  /** Nothing fails while it is `false`. */
  isOn: boolean
  /** Whether writes of the provider fail as well. */
  readonly losesWrites: boolean
  readonly tally: Map<string, number>
}

/** A memory store that fails now and then. What was written stays when its executor closes. */
export const shakyStore = (shakiness: Shakiness): Store => {
  const { random, tally } = shakiness
  const store = memoryStore()
  const { connections, lease } = store
  const shake = <A, E>(
    operation: string,
    isWrite: boolean,
    effect: Effect.Effect<A, E>,
  ): Effect.Effect<A, E | StoreUnavailableError> =>
    Effect.suspend((): Effect.Effect<A, E | StoreUnavailableError> => {
      if (!shakiness.isOn) return effect
      const outage = Effect.fail(new StoreUnavailableError({ operation, reason: "injected" }))
      const slow = random.chance(0.2) ? Effect.andThen(Effect.sleep(random.between(0, 4)), effect) : effect
      if (!random.chance(0.01)) return slow
      const isLate = isWrite && random.chance(0.5)
      count(tally, `store: ${operation} failed${isLate ? ", having been done" : ""}`)
      return isLate ? Effect.andThen(slow, outage) : outage
    })
  return {
    ...store,
    connections: {
      ...connections,
      get: (key) => shake("read a connection", false, connections.get(key)),
      put: (row, expected) => shake("write a connection", true, connections.put(row, expected)),
    },
    lease: { hold: (key, use) => Effect.andThen(shake("take a lease", false, Effect.void), lease.hold(key, use)) },
  }
}

/** A memory provider whose writes fail several times in a row now and then. It stays open when its executor closes. */
export const shakyProvider = (shakiness: Shakiness): CredentialProvider => {
  const { random, tally } = shakiness
  const provider = memoryProvider({ key: "shaky" })
  const get = (id: string): ReturnType<CredentialProvider["get"]> => provider.get(id)
  const set = (id: string, value: Redacted.Redacted): Effect.Effect<void, ProviderError> =>
    provider.set?.(id, value) ?? Effect.void
  const failing = new Map<string, number>()
  const outage = Effect.fail(new ProviderUnavailableError({ provider: "shaky", reason: "injected", nextStep: "Wait." }))
  return {
    key: provider.key,
    writable: true,
    get: (id) =>
      Effect.suspend(() => {
        if (!shakiness.isOn) return get(id)
        if (random.chance(0.003)) {
          count(tally, "provider: a read failed")
          return outage
        }
        return random.chance(0.1) ? Effect.andThen(Effect.sleep(random.between(0, 10)), get(id)) : get(id)
      }),
    set: (id, value) =>
      Effect.suspend(() => {
        if (!shakiness.isOn) return set(id, value)
        const left = failing.get(id) ?? (shakiness.losesWrites && random.chance(0.04) ? random.between(1, 4) : 0)
        if (left > 0) failing.set(id, left - 1)
        else failing.delete(id)
        const slow = random.chance(0.3)
          ? Effect.andThen(Effect.sleep(random.between(0, 40)), set(id, value))
          : set(id, value)
        if (left === 0) return slow
        const isLate = random.chance(0.3)
        count(tally, `provider: a write failed${isLate ? ", having been done" : ""}`)
        return isLate ? Effect.andThen(slow, outage) : outage
      }),
    delete: (id) => provider.delete?.(id) ?? Effect.void,
  }
}

/** Counts something by its name. */
export const count = (tally: Map<string, number>, what: string): void =>
  void tally.set(what, (tally.get(what) ?? 0) + 1)
