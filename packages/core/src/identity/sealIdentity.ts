/**
 * The way in to sealed identities: a host's edge seals whom it verified, its workers open it.
 *
 * The signing, and the library that does it, load with the first token: hosts that seal nothing pay nothing for it.
 */
import * as Effect from "effect/Effect"
import type {
  InvalidSealedIdentityError,
  InvalidSealOptionsError,
  OpenedIdentity,
  OpenIdentityOptions,
  SealableIdentity,
  SealIdentityOptions,
} from "./SealedIdentity.ts"

/**
 * Seals a verified caller into a token for {@link openIdentity}; each one is another, and is for one use.
 *
 * Rejects with `InvalidSealOptionsError` or `InvalidIdentityError`.
 *
 * @example
 * ```ts
 * import { sealIdentity } from "@keyward/core"
 *
 * const keys = [{ id: "2026-11", secret: crypto.getRandomValues(new Uint8Array(32)) }]
 * const token = await sealIdentity({ tenant: "acme", subject: "alice" }, { keys, audience: "workers" })
 * ```
 */
export const sealIdentity = (identity: SealableIdentity, options: SealIdentityOptions): Promise<string> =>
  Effect.runPromise(Effect.flatMap(signing(), (module) => module.signIdentity(identity, options)))

/**
 * Opens a token that {@link sealIdentity} made for this audience with one of these keys.
 *
 * Rejects with `InvalidSealedIdentityError`, whose `reason` says what is wrong, and with `InvalidSealOptionsError`.
 */
export const openIdentity = (token: string, options: OpenIdentityOptions): Promise<OpenedIdentity> =>
  Effect.runPromise(openSealed(token, options))

/** {@link openIdentity} for Effect programs. */
export const openSealed = (
  token: string,
  options: OpenIdentityOptions,
): Effect.Effect<OpenedIdentity, InvalidSealedIdentityError | InvalidSealOptionsError> =>
  Effect.flatMap(signing(), (module) => module.verifyIdentity(token, options))

type SigningModule = typeof import("./signedIdentity.ts")

let loading: Promise<SigningModule> | undefined

const signing = (): Effect.Effect<SigningModule> =>
  Effect.promise(() => {
    loading ??= import("./signedIdentity.ts").catch((error: unknown) => {
      loading = undefined
      throw error
    })
    return loading
  })
