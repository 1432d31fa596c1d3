/**
 * The `errors` of a GraphQL answer: read with care, and what they mean by the words that services use for it.
 *
 * The specification fixes `message`, `path` and `extensions` only. What kind of error it is stands in `extensions.code`
 * (Apollo, Yoga, Shopify), in `type` (GitHub), or in the sentence.
 *
 * Spec: [GraphQL, section 7.1.2](https://spec.graphql.org/September2025/#sec-Errors).
 */
import { cut, isJsonObject, type JsonObject, listOf, objectOf, textOf } from "../Json.ts"

/** One error as it is shown. */
export interface GraphQLResponseError {
  readonly message: string
  /** Where in the data it happened. */
  readonly path?: ReadonlyArray<string | number> | undefined
  /** The service's word for the kind, in upper case. */
  readonly type?: string | undefined
  /** What the service says beside it, where that is short. */
  readonly extensions?: JsonObject | undefined
}

/** The most errors that are read; more say nothing new. */
const mostErrors = 20

/** Reads `errors`; what has no message says so. */
export const readErrors = (errors: unknown): ReadonlyArray<GraphQLResponseError> =>
  listOf(errors).slice(0, mostErrors).map(readError)

/** Whether an error says that the credential is missing or not valid. */
export const isAuthenticationError = (error: GraphQLResponseError): boolean =>
  error.type === undefined ? authenticationSentence.test(error.message) : authenticationTypes.has(error.type)

/** The code of the failure that an error means; `undefined` when it says nothing about its kind. */
export const codeOfError = (error: GraphQLResponseError): string | undefined => {
  if (isAuthenticationError(error)) return "unauthorized"
  if (persistedSentence.test(error.message)) return "persisted_query_required"
  return error.type === undefined ? undefined : codes.get(error.type)
}

/** The messages in one sentence, without the period at its end. */
export const sentenceOf = (errors: ReadonlyArray<GraphQLResponseError>): string => {
  const messages = [...new Set(errors.map(({ message }) => message.trim().replace(/\.$/, "")))]
  const shown = messages.slice(0, 3).join("; ")
  return cut(messages.length > 3 ? `${shown}; and ${messages.length - 3} more` : shown, 500)
}

const authenticationTypes = new Set([
  "UNAUTHENTICATED",
  "UNAUTHENTICATED_ERROR",
  "UNAUTHORIZED",
  "AUTHENTICATION_ERROR",
  "AUTHENTICATION_REQUIRED",
  "AUTHENTICATION_FAILED",
  "NOT_AUTHENTICATED",
  "INVALID_TOKEN",
  "TOKEN_EXPIRED",
  "INVALID-JWT",
])

const authenticationSentence =
  /^(?:(?:error: )?(?:un|not )?authenticated\b|not logged in|authentication (?:is )?(?:required|failed)|invalid (?:or expired )?(?:access |api |auth(?:entication|orization)? )?(?:token|key|credentials?)\b|bad credentials|you (?:must|need to) (?:be (?:logged|signed) in|log ?in|authenticate)|could not verify jwt|unauthorized\W*$)/i

const persistedSentence =
  /^(?:persisted[ _]?query[ _]?(?:not[ _]?(?:found|supported|in[ _]?list)|only)|(?:only )?persisted (?:queries|operations|documents)\b)/i

/** By the service's word. */
const codes = new Map([
  ["FORBIDDEN", "forbidden"],
  ["ACCESS_DENIED", "forbidden"],
  ["PERMISSION_DENIED", "forbidden"],
  ["INSUFFICIENT_SCOPES", "insufficient_scope"],
  ["INSUFFICIENT_SCOPE", "insufficient_scope"],
  ["NOT_FOUND", "not_found"],
  ["BAD_REQUEST", "bad_request"],
  ["BAD_USER_INPUT", "bad_request"],
  ["VALIDATION_ERROR", "bad_request"],
  ["GRAPHQL_PARSE_FAILED", "bad_request"],
  ["GRAPHQL_VALIDATION_FAILED", "bad_request"],
  ["RATE_LIMITED", "rate_limited"],
  ["RATELIMITED", "rate_limited"],
  ["RATE_LIMIT_EXCEEDED", "rate_limited"],
  ["THROTTLED", "rate_limited"],
  ["TOO_MANY_REQUESTS", "rate_limited"],
  ["INTERNAL_SERVER_ERROR", "upstream_error"],
  ["INTERNAL", "upstream_error"],
  ["SERVICE_UNAVAILABLE", "upstream_unavailable"],
  ["PERSISTED_QUERY_NOT_FOUND", "persisted_query_required"],
  ["PERSISTED_QUERY_NOT_SUPPORTED", "persisted_query_required"],
  ["PERSISTED_QUERY_NOT_IN_LIST", "persisted_query_required"],
  ["PERSISTED_QUERY_ONLY", "persisted_query_required"],
  ["PERSISTED_QUERY_REQUIRED", "persisted_query_required"],
])

const longestExtensions = 1_000

const readError = (value: unknown): GraphQLResponseError => {
  const error = objectOf(value)
  const extensions = error["extensions"]
  const type = textOf(objectOf(extensions)["code"]) ?? textOf(error["type"]) ?? textOf(objectOf(extensions)["type"])
  const path = listOf(error["path"])
    .slice(0, 50)
    .filter((step) => typeof step === "string" || typeof step === "number")
  return {
    message: cut(textOf(error["message"]) ?? textOf(value) ?? "an error without a message", 500),
    ...(path.length > 0 ? { path } : {}),
    ...(type === undefined ? {} : { type: cut(type.toUpperCase(), 100) }),
    ...(isShort(extensions) ? { extensions } : {}),
  }
}

const isShort = (extensions: unknown): extensions is JsonObject =>
  isJsonObject(extensions) &&
  Object.keys(extensions).length > 0 &&
  JSON.stringify(extensions).length <= longestExtensions
