/**
 * How far a vault has come, here and at its anchor, so that an older copy of the file, or none, is noticed.
 *
 * Called by `Vault` when the file is opened and after each write.
 */
import { existsSync } from "node:fs"
import { ProviderUnavailableError } from "@keyward/core/effect"
import { companions } from "./durableFile.ts"
import { quoted, type VaultPlace, VaultRolledBackError } from "./VaultError.ts"

/** How far a vault has come. `seq` grows with every write and never shrinks. */
export interface VaultState {
  readonly vault: string
  readonly seq: number
}

/**
 * A place outside the file that remembers how far the vault has come, so that an older copy of the whole file is noticed.
 *
 * A counter in a TPM, a row in a database, an item in the OS keychain. It must be at least as hard to roll back as the file.
 */
export interface VaultAnchor {
  /** The state last written, `undefined` when there is none yet. Called when the file is opened. */
  readonly read: () => PromiseLike<VaultState | undefined>
  /** Remembers a state. Called under the vault's lock after each durable write and before it is acknowledged. */
  readonly write: (state: VaultState) => PromiseLike<void>
}

/** See the file's header. */
export class VaultProgress {
  readonly #place: VaultPlace
  readonly #anchor: VaultAnchor | undefined
  #seen: VaultState | undefined

  constructor(place: VaultPlace, anchor: VaultAnchor | undefined) {
    this.#place = place
    this.#anchor = anchor
  }

  /** A state was read. */
  note(state: VaultState): void {
    this.#seen = state
  }

  /** A state was written: the anchor knows it before anybody is told. */
  async advance(state: VaultState): Promise<void> {
    this.#seen = state
    await this.#anchored(async (anchor) => anchor.write(state))
  }

  /** Fails where a file is older than one that was seen, is another vault's, or is gone; `undefined`: there is none. */
  async check(opened: VaultState | undefined): Promise<void> {
    const anchored = await this.#anchored(async (anchor) => anchor.read())
    const states = [this.#seen, anchored].filter((state) => state !== undefined)
    if (opened === undefined) {
      const { previous } = companions(this.#place.path)
      if (states.length > 0 || existsSync(previous)) throw this.#missing(previous)
      return
    }
    for (const state of states) {
      if (state.vault !== opened.vault) throw new VaultRolledBackError(this.#place, "was replaced by another vault")
      if (state.seq > opened.seq) {
        throw new VaultRolledBackError(this.#place, `is at write ${opened.seq} and has been at write ${state.seq}`)
      }
    }
  }

  async #anchored<A>(ask: (anchor: VaultAnchor) => PromiseLike<A>): Promise<A | undefined> {
    if (this.#anchor === undefined) return undefined
    try {
      return await ask(this.#anchor)
    } catch {
      throw new ProviderUnavailableError({
        provider: this.#place.provider,
        reason: "anchor",
        nextStep: `The anchor of ${quoted(this.#place.path)} failed, so it cannot be told whether the file is the newest one. Make the anchor reachable, then try again.`,
      })
    }
  }

  #missing(previous: string): ProviderUnavailableError {
    return new ProviderUnavailableError({
      provider: this.#place.provider,
      reason: "missing",
      nextStep: `${quoted(this.#place.path)} is gone. Put it back from a backup, or from ${quoted(previous)}; only where it was deleted on purpose, delete what is left of it, reset the anchor and restart.`,
    })
  }
}
