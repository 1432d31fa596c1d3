/**
 * A caller that somebody verified, in a short-lived signed token: from a host's edge, which knows who is calling, to its workers, which
 * must not believe a header.
 *
 * What a token says is readable and no secret; that it says so is what the signature proves. Here is what all have to do with who seal,
 * open or accept one; `sealIdentity.ts` is the way in.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"
import type { Identity, IdentityInput } from "./Identity.ts"

/** Key material; wrap it to keep it out of logs. */
export type KeyMaterial = string | Uint8Array | Redacted.Redacted | Redacted.Redacted<Uint8Array>

/**
 * A key under the id that tokens name it by (`kid`).
 *
 * `secret`: 32 bytes or more, or base64 of them, which seals and opens (HS256). `privateKey`: Ed25519 or P-256, PKCS#8 as PEM or a JWK as
 * JSON, which seals and opens. `publicKey`: the other half, SPKI as PEM or a JWK, which only opens; for workers that must not seal.
 */
export type IdentityKey =
  | { readonly id: string; readonly secret: KeyMaterial }
  | { readonly id: string; readonly privateKey: string | Redacted.Redacted }
  | { readonly id: string; readonly publicKey: string }

/** What sealing and opening have in common. */
export interface IdentitySealOptions {
  /** The first one seals; all open. To rotate: add the new key behind the old one everywhere, then put it first, then take the old one away. */
  readonly keys: ReadonlyArray<IdentityKey>
  /** Who tokens are for, such as the name of the service; a token for another audience is refused. */
  readonly audience: string
}

/** Options of `sealIdentity`. */
export interface SealIdentityOptions extends IdentitySealOptions {
  /** Milliseconds that the token holds, counted in whole seconds. Default 60 000; at most 900 000. */
  readonly expiresInMs?: number | undefined
}

/** Remembers tokens until they expire, so that each is used once. */
export interface ReplayStore {
  /** Answers whether the id was not remembered yet. `expiresAt`: until when it has to be, epoch milliseconds. */
  remember(id: string, expiresAt: number): boolean | PromiseLike<boolean>
}

/** Options of `openIdentity`. */
export interface OpenIdentityOptions extends IdentitySealOptions {
  /** How far apart the clocks of edge and worker may be, in milliseconds. Default 5 000. */
  readonly clockToleranceMs?: number | undefined
  /**
   * Where opened tokens are remembered until they expire. Default: in this process; pass a store that all workers share to refuse a token
   * that another one has opened. `"allow"`: a token may be opened again until it expires.
   */
  readonly replays?: ReplayStore | "allow" | undefined
}

/** What can be sealed: an identity, and where an agent acts, its id. */
export interface SealableIdentity extends IdentityInput {
  readonly tenant: string
  readonly agent?: string | undefined
}

/** A token that is not believed, by the first thing that is wrong with it. */
export class InvalidSealedIdentityError extends taggedError<InvalidSealedIdentityError>()(
  "InvalidSealedIdentityError",
  {
    reason: Schema.Literals([
      "malformed",
      "algorithm",
      "unknown_key",
      "signature",
      "audience",
      "expired",
      "not_yet_valid",
      "lifetime",
      "claims",
      "replayed",
      "not_sealed",
      "agent",
    ]),
  },
  401,
) {
  override get message(): string {
    return `The sealed identity is not believed: ${faults[this.reason]}`
  }
}

/** Options with which no identity can be sealed or opened; `field` names the part at fault. */
export class InvalidSealOptionsError extends taggedError<InvalidSealOptionsError>()(
  "InvalidSealOptionsError",
  { field: Schema.String, fault: Schema.String },
  400,
) {
  override get message(): string {
    return `Sealed identity ${this.field}: ${this.fault}`
  }
}

/** An identity that came out of a token; nothing else is one. `executor.withIdentity` takes it. */
export class OpenedIdentity implements Identity {
  readonly tenant: string
  readonly subject: string | null
  declare readonly agent?: string
  /** Until when the token held, epoch milliseconds. */
  readonly expiresAt: number
  /** Nothing that is not made here has it. */
  readonly #opened: true

  constructor({ tenant, subject, agent }: Identity, expiresAt: number) {
    this.#opened = true
    this.tenant = tenant
    this.subject = subject
    if (agent !== undefined) this.agent = agent
    this.expiresAt = expiresAt
  }

  /** Whether a value came out of a token. */
  static isOpened(value: unknown): value is OpenedIdentity {
    return typeof value === "object" && value !== null && #opened in value && value.#opened
  }
}

/** Fails for a part that cannot be. */
export const invalidSeal = (field: string, fault: string): InvalidSealOptionsError =>
  new InvalidSealOptionsError({ field, fault })

/** Checks what both need: an audience and keys with ids of their own. Key material is read with the first token. */
export const checkSealOptions = ({
  keys,
  audience,
}: IdentitySealOptions): Effect.Effect<void, InvalidSealOptionsError> => {
  if (typeof audience !== "string" || audience === "")
    return Effect.fail(invalidSeal("audience", "name who tokens are for."))
  if (!Array.isArray(keys) || keys.length === 0) return Effect.fail(invalidSeal("keys", "pass at least one key."))
  const ids = keys.map(({ id }: IdentityKey) => id)
  const twice = ids.find((id, index) => typeof id !== "string" || id === "" || ids.indexOf(id) !== index)
  return twice === undefined
    ? Effect.void
    : Effect.fail(invalidSeal("keys", `each needs an id of its own; ${quote(twice)} is missing or used twice.`))
}

const faults: Readonly<Record<InvalidSealedIdentityError["reason"], string>> = {
  malformed: "it is no token of sealIdentity. Send what sealIdentity answered, unchanged.",
  algorithm: "it is signed in a way that its key is not for. Seal it with sealIdentity.",
  unknown_key: "none of the keys has its key id. Add the sealing key to the keys of whoever opens.",
  signature: "its signature does not fit. It was changed on the way, or sealed with another key of that id.",
  audience: "it is for another audience. Seal and open with the same audience.",
  expired: "it has expired. Seal a new one for each request.",
  not_yet_valid: "it is from the future. Set the clocks of edge and worker.",
  lifetime: "it holds longer than sealed identities may.",
  claims: "it names nobody who can be a caller.",
  replayed: "it was opened before. Seal a new one for each use, or allow replays until it expires.",
  not_sealed:
    "a plain identity was passed where only sealed ones are. Use withSealedIdentity with the token of the edge.",
  agent: "it names an agent, which has an executor of its own kind. Use withSealedIdentity with the token, or asAgent.",
}
