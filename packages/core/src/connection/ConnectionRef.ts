/**
 * Names a connection within a caller's sight: owner, integration, name; and spells it as an address.
 *
 * One value for the store's key, the span's attribute and every error's field. Names become JavaScript identifiers so that
 * an address reads as a property path.
 */
import * as Effect from "effect/Effect"
import { quote } from "../error/KeywardError.ts"
import { escapePart, type Identity, type Owner, partitionPrefix, subjectOf } from "../identity/Identity.ts"
import { InvalidConnectionInputError } from "./ConnectionError.ts"

/** Names one connection; unique within a tenant and, for `user`, within the subject. */
export interface ConnectionRef {
  readonly owner: Owner
  readonly integration: string
  readonly name: string
}

/** A reference together with whose partition it lies in; `subject` is empty for `org`. The key of every store. */
export interface ConnectionKey extends ConnectionRef {
  readonly tenant: string
  readonly subject: string
}

/** `tools.<integration>.<owner>.<name>`. */
export const connectionAddress = (ref: ConnectionRef): string => `tools.${ref.integration}.${ref.owner}.${ref.name}`

/**
 * Turns a free-form name into a JavaScript identifier: `my-api-key` → `myApiKey`.
 *
 * Idempotent; a name that is an identifier already, in any script, stays as it is. `undefined` when nothing usable is left.
 */
export const connectionIdentifier = (name: string): string | undefined => {
  if (identifier.test(name)) return name
  const words = usable.test(name) ? name.match(word) : null
  if (words === null) return undefined
  const [first = "", ...rest] = words
  const head = first === first.toUpperCase() ? first.toLowerCase() : lowerFirst(first)
  const joined = head + rest.map(upperFirst).join("")
  const result = identifierStart.test(joined) ? joined : `_${joined}`
  return identifier.test(result) && result.length <= longestName ? result : undefined
}

/**
 * Checks a reference that a host passed and normalizes its name.
 *
 * Fails with `InvalidConnectionInputError` for an unknown owner, a `user` connection without a subject, and a name of which
 * nothing usable is left.
 */
export const connectionKey = (
  identity: Identity,
  ref: ConnectionRef,
): Effect.Effect<ConnectionKey, InvalidConnectionInputError> => {
  // Hosts hand this through from outside.
  const { owner, integration, name: given } = (ref ?? {}) as Partial<ConnectionRef>
  if (owner !== "org" && owner !== "user") {
    return invalid("owner", `must be "org" or "user"; got ${quote(owner)}.`)
  }
  if (owner === "user" && identity.subject === null) {
    return invalid(
      "owner",
      'a "user" connection needs an acting user; pass `subject` to createExecutor or withIdentity.',
    )
  }
  if (typeof integration !== "string" || integration === "") return invalid("integration", "name an integration.")
  const name = typeof given === "string" ? connectionIdentifier(given) : undefined
  if (name === undefined) {
    return invalid("name", `${quote(given)} holds no letter or digit to name a connection by.`)
  }
  return Effect.succeed({ tenant: identity.tenant, subject: subjectOf(identity, owner), owner, integration, name })
}

/**
 * The id under which one variable of a connection is kept in a provider:
 * `{tenant}/[{subject}/]connection:{owner}:{integration}:{name}:{variable}`, every part escaped.
 */
export const connectionItemId = (key: ConnectionKey, variable: string): string =>
  // Kept for as long as the connection, once with it and once by the provider: joined, a text is one piece in memory.
  [
    `${partitionPrefix(key, key.owner)}connection`,
    key.owner,
    ...[key.integration, key.name, variable].map(escapePart),
  ].join(":")

/**
 * The id under which a connection's access token is kept; its refresh token is kept under `{id}:refresh`, its DPoP key under
 * `{id}:dpop`: `{tenant}/[{subject}/]oauth:{owner}:{integration}:{name}`, every part escaped.
 */
export const tokenItemId = (key: ConnectionKey): string =>
  `${partitionPrefix(key, key.owner)}oauth:${key.owner}:${escapePart(key.integration)}:${escapePart(key.name)}`

/**
 * Whose an item of a provider is: `own` when Keyward keeps it for a connection of this owner of this caller, `foreign` when it keeps
 * it for somebody else or for itself, `external` when its id is not one of Keyward's.
 */
export const itemPartition = (identity: Identity, owner: Owner, id: string): "own" | "foreign" | "external" => {
  if (!mintedForm.test(id)) return "external"
  const prefix = partitionPrefix(identity, owner)
  return referable.some((kind) => id.startsWith(prefix + kind)) ? "own" : "foreign"
}

/** What a connection may refer to; the secrets of OAuth apps and of the outbox are nobody's to place in a request. */
const referable = ["connection:", "oauth:"]

/** The ids that Keyward mints, of any caller; upper case too, for backends that ignore case. */
const mintedForm = /^[\w%-]+\/(?:[\w%-]*\/)?(?:connection|oauth|oauth-client|oauth-revocation):/i

const invalid = (field: string, fault: string): Effect.Effect<never, InvalidConnectionInputError> =>
  Effect.fail(new InvalidConnectionInputError({ field, fault }))

const longestName = 256
// As ECMAScript has it, with the joiners that Persian and Indic words are written with.
const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]{0,255}$/u
const identifierStart = /^[\p{ID_Start}$_]/u
const usable = /[\p{L}\p{N}$_]/u
const word = /[\p{ID_Continue}$]+/gu

const upperFirst = (text: string): string => text.replace(/^./u, (letter) => letter.toUpperCase())
const lowerFirst = (text: string): string => text.replace(/^./u, (letter) => letter.toLowerCase())
