/**
 * Who is calling: a tenant (an organisation) and, when a person acts, a subject within it.
 *
 * Everything stored is partitioned by identity. This file owns the partition prefix, so that no two tenants and no two
 * users can reach each other's records or secrets, whatever they are called.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"

/** `org`: shared within the tenant. `user`: belongs to one subject of it. */
export type Owner = "org" | "user"

/** A caller as the executor sees it. */
export interface Identity {
  readonly tenant: string
  /** The acting user; `null` when nobody in particular acts. */
  readonly subject: string | null
  /** The id of the agent that calls, on an executor made by `asAgent`; absent when a host calls for itself. */
  readonly agent?: string
}

/** Identity as a host writes it down. */
export interface IdentityInput {
  /** Default: the tenant of the executor that is asked, `"default"` at `createExecutor`. */
  readonly tenant?: string | undefined
  /** Absent or `null`: nobody in particular acts; only organisation connections are visible. */
  readonly subject?: string | null | undefined
}

/** A tenant or subject that cannot name anybody: empty, too long, or not well-formed text. */
export class InvalidIdentityError extends taggedError<InvalidIdentityError>()(
  "InvalidIdentityError",
  { part: Schema.Literals(["tenant", "subject", "agent"]), given: Schema.String },
  400,
) {
  override get message(): string {
    if (this.part === "agent") {
      return `The identity is that of the agent ${quote(this.given)}, which may do less than an executor does. Use asAgent, or withSealedIdentity where a token names it.`
    }
    return `The ${this.part} ${quote(this.given)} cannot identify anybody. Pass 1 to 512 characters of well-formed text${
      this.part === "subject" ? ", or leave it out when no user acts." : "."
    }`
  }
}

const longestPart = 512

/** Checks what a host passed and fills in the tenant. */
export const makeIdentity = (input: IdentityInput, tenant: string): Effect.Effect<Identity, InvalidIdentityError> => {
  const identity = { tenant: input.tenant ?? tenant, subject: input.subject ?? null }
  if (!isNameable(identity.tenant)) {
    return Effect.fail(new InvalidIdentityError({ part: "tenant", given: describe(identity.tenant) }))
  }
  if (identity.subject !== null && !isNameable(identity.subject)) {
    return Effect.fail(new InvalidIdentityError({ part: "subject", given: describe(identity.subject) }))
  }
  return Effect.succeed(identity)
}

/** The subject that owns a record: the acting user's for `user`, the empty string for `org`. */
export const subjectOf = (identity: Identity, owner: Owner): string =>
  owner === "user" ? (identity.subject ?? "") : ""

/**
 * The prefix under which an owner's items are kept in a provider that others share: `tenant/` or `tenant/subject/`.
 *
 * Injective: parts are escaped one by one, so a part never holds the separator.
 */
export const partitionPrefix = (identity: Identity, owner: Owner): string =>
  owner === "user"
    ? `${escapePart(identity.tenant)}/${escapePart(identity.subject ?? "")}/`
    : `${escapePart(identity.tenant)}/`

/**
 * Escapes one part of an id to ASCII letters, digits, `_`, `-` and `%`, the UTF-8 bytes of everything else in hexadecimal.
 *
 * Equal results mean equal parts, code unit by code unit: composed and decomposed forms of a letter stay different.
 */
export const escapePart = (part: string): string =>
  isPlain.test(part)
    ? part
    : encodeURIComponent(part).replace(
        /[!'()*.~]/g,
        (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
      )

const isPlain = /^[A-Za-z0-9_-]*$/

const isNameable = (part: unknown): part is string =>
  typeof part === "string" && part.length > 0 && part.length <= longestPart && part.isWellFormed()

const describe = (part: unknown): string => (typeof part === "string" ? part.toWellFormed() : typeof part)
