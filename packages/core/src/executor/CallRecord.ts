/**
 * What happened to the requests of one plugin call: which credential was used, and whether it was turned down.
 *
 * Kept beside the plugin, so that what it throws or returns can be explained truthfully and cleaned of secrets.
 */
import * as Effect from "effect/Effect"
import { ConnectionCredentialError } from "../connection/ConnectionError.ts"
import type { RequestAuthorizer } from "../http/Wire.ts"
import type { AuthorizedResponse } from "./AuthorizedFetch.ts"

/** See the file's header. */
export class CallRecord {
  /** Why a request could not be authorized, or was turned down, the last time that happened. */
  failure: ConnectionCredentialError | undefined
  /** Whether the plugin got a standard `Response`, whose body nobody has looked through for secrets. */
  hasRawResponse = false
  #authorizer: RequestAuthorizer | undefined
  readonly #connection: string

  constructor(connection: string) {
    this.#connection = connection
  }

  /** Watches one way of sending. */
  watch<E>(sent: Effect.Effect<AuthorizedResponse, E>, isRaw: boolean): Effect.Effect<AuthorizedResponse, E> {
    return Effect.tapError(
      Effect.tap(sent, ({ response, authorizer }) =>
        Effect.sync(() => {
          this.#authorizer = authorizer
          this.hasRawResponse ||= isRaw
          this.failure = rejection(this.#connection, response.status, response.headers["www-authenticate"])
        }),
      ),
      (error) =>
        Effect.sync(() => {
          if (error instanceof ConnectionCredentialError) this.failure = error
        }),
    )
  }

  /** A text without the secrets that this call used. */
  redact(text: string): string {
    return this.#authorizer === undefined ? text : this.#authorizer.redact(text)
  }

  /** A JSON-like value without the secrets that this call used; the value itself where there is nothing to take out. */
  redactDeep(value: unknown): unknown {
    return this.#authorizer === undefined ? value : redactDeep(value, this.#authorizer, 0)
  }
}

/** What a 401, or a 403 that asks for more scope (RFC 6750, section 3.1), says about the connection. */
const rejection = (
  connection: string,
  status: number,
  challenge: string | undefined,
): ConnectionCredentialError | undefined => {
  if (status === 401) {
    return new ConnectionCredentialError({
      code: "connection_rejected",
      connection,
      reason: "http_401",
      nextStep:
        "The service did not accept the credential. Save a valid one under the same name, or connect the account again.",
      retryable: false,
      authRequired: true,
    })
  }
  if (status === 403 && challenge !== undefined && /\berror\s*=\s*"?insufficient_scope\b/i.test(challenge)) {
    return new ConnectionCredentialError({
      code: "insufficient_scope",
      connection,
      reason: "http_403",
      nextStep: "The credential does not cover this call. Provide one with the permission that the service asks for.",
      retryable: false,
      authRequired: true,
    })
  }
  return undefined
}

const deepest = 64

const redactDeep = (value: unknown, authorizer: RequestAuthorizer, depth: number): unknown => {
  if (typeof value === "string") return authorizer.redact(value)
  if (typeof value !== "object" || value === null || depth > deepest) return value
  if (Array.isArray(value)) return mapped(value, (item) => redactDeep(item, authorizer, depth + 1))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  const entries = Object.entries(value)
  const clean = entries.map(([key, item]) => [authorizer.redact(key), redactDeep(item, authorizer, depth + 1)] as const)
  const isChanged = clean.some(([key, item], index) => key !== entries[index]?.[0] || item !== entries[index][1])
  return isChanged ? Object.fromEntries(clean) : value
}

const mapped = (list: ReadonlyArray<unknown>, change: (item: unknown) => unknown): ReadonlyArray<unknown> => {
  const changed = list.map(change)
  return changed.some((item, index) => item !== list[index]) ? changed : list
}
