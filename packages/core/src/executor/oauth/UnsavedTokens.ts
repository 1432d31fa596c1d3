/**
 * New tokens that could not be written yet: the old ones are worth nothing any more, so these are used, kept and tried again.
 *
 * In this process's memory, for as long as it takes. The host is told when that happens and when it is over.
 */
import * as Effect from "effect/Effect"
import type { ConnectionRow } from "../../connection/Connection.ts"
import type { ConnectionKey } from "../../connection/ConnectionRef.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { Resources } from "../Resources.ts"
import { isGrantedRow } from "./GrantedConnection.ts"
import { type FreshTokens, isSuperseded, markHeld, saveTokens } from "./saveTokens.ts"
import { refreshLeaseKey } from "./tokenItems.ts"

interface Unsaved {
  readonly identity: Identity
  readonly key: ConnectionKey
  readonly tokens: FreshTokens
}

const shortestWaitMs = 1_000
const longestWaitMs = 60_000

/** See the file's header. */
export class UnsavedTokens {
  readonly #resources: Resources
  readonly #byKey = new Map<string, Unsaved>()
  #isClosed = false

  constructor(resources: Resources) {
    this.#resources = resources
  }

  /** The tokens of a row that are not saved yet. */
  of(row: ConnectionRow): FreshTokens | undefined {
    if (this.#byKey.size === 0) return undefined
    const unsaved = this.#byKey.get(refreshLeaseKey(row))
    if (unsaved === undefined || !isGrantedRow(row) || row.grant.id !== unsaved.tokens.grantId) return undefined
    return isSuperseded(row, unsaved.tokens) ? undefined : unsaved.tokens
  }

  /** Keeps tokens until they are saved, and tries that in the background from now on. */
  keep(identity: Identity, key: ConnectionKey, tokens: FreshTokens): Effect.Effect<void> {
    return Effect.suspend(() => {
      const name = refreshLeaseKey(key)
      const isTried = this.#byKey.has(name)
      this.#byKey.set(name, { identity, key, tokens })
      return isTried || this.#isClosed ? Effect.void : this.#resources.inBackground(this.#saveLater(name))
    })
  }

  /** They are saved, or of no use any more. */
  forget(key: ConnectionKey): void {
    this.#byKey.delete(refreshLeaseKey(key))
  }

  /** Tries everything once more, then stops trying. */
  close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#isClosed = true
      return Effect.forEach([...this.#byKey.keys()], (name) => this.#save(name), { discard: true })
    })
  }

  #saveLater(name: string): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (let waitMs = shortestWaitMs; ; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
        yield* Effect.sleep(waitMs)
        if (this.#isClosed || !this.#byKey.has(name)) return
        yield* this.#save(name)
      }
    })
  }

  #save(name: string): Effect.Effect<void> {
    const saved = this.#resources.store.lease.hold(name, () =>
      Effect.suspend(() => {
        const unsaved = this.#byKey.get(name)
        if (unsaved === undefined) return Effect.void
        const { identity, key, tokens } = unsaved
        return Effect.tapError(
          Effect.tap(saveTokens(this.#resources, identity, key, tokens), () =>
            Effect.sync(() => this.#byKey.delete(name)),
          ),
          () => markHeld(this.#resources, key, tokens),
        )
      }),
    )
    return Effect.ignore(saved)
  }
}
