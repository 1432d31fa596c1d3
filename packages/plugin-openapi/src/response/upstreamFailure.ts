/**
 * A failed response as an error that a model can read: what the service said, whether to try again, and when.
 *
 * Worth repeating are 408, 425, 429, 500, 502, 503 and 504 for methods that may be repeated; for POST and PATCH only 425, 429
 * and 503, with which the service says that it did nothing. 401 and 403 keep their status; core says what they mean.
 * Spec: [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-15), [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457).
 */
import type { ToolFailure } from "@keyward/core"
import { isJsonObject, listOf, textOf, type JsonObject } from "../Json.ts"
import { cut, isIdempotent } from "../catalogue/operations.ts"

/** A failed response, read. */
export interface FailedResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** In upper case. */
  readonly method: string
  readonly now: () => number
}

/** The most of a body that is passed on, in characters. */
const longestExcerpt = 2_000

/** Makes the error of a failed response. `details` holds `retryAfterMs` where known and `body`, the useful part of the answer. */
export const upstreamFailure = (response: FailedResponse): ToolFailure => {
  const { status, headers, method } = response
  const retryAfterMs = retryAfter(response)
  const isLimited =
    status === 429 ||
    (status === 403 && (headers["x-ratelimit-remaining"] === "0" || headers["retry-after"] !== undefined))
  const { message, body } = readBody(response.body, headers["content-type"])
  const details = { ...(retryAfterMs === undefined ? {} : { retryAfterMs }), ...(body === undefined ? {} : { body }) }
  const said = message === undefined ? "." : `: ${message}`
  return {
    code: isLimited ? "rate_limited" : codeOf(status),
    message: `The service answered ${status}${reasonOf(status)}${said}`,
    status,
    retryable: isLimited || isRetryable(status, method),
    ...(Object.keys(details).length === 0 ? {} : { details }),
  }
}

const isRetryable = (status: number, method: string): boolean =>
  isIdempotent(method) ? [408, 425, 429, 500, 502, 503, 504].includes(status) : [425, 429, 503].includes(status)

const codes = new Map([
  [400, "bad_request"],
  [401, "unauthorized"],
  [402, "payment_required"],
  [403, "forbidden"],
  [404, "not_found"],
  [405, "method_not_allowed"],
  [406, "not_acceptable"],
  [408, "upstream_timeout"],
  [409, "conflict"],
  [410, "gone"],
  [412, "precondition_failed"],
  [413, "too_large"],
  [415, "unsupported_media_type"],
  [422, "unprocessable"],
  [425, "too_early"],
  [429, "rate_limited"],
  [503, "upstream_unavailable"],
  [504, "upstream_timeout"],
])

const codeOf = (status: number): string => codes.get(status) ?? (status >= 500 ? "upstream_error" : "http_error")

const reasonOf = (status: number): string => {
  const code = codes.get(status)
  return code === undefined ? "" : ` (${code.replace("upstream_", "").replaceAll("_", " ")})`
}

/** `Retry-After` in seconds or as a date, else the reset time of a rate limit, as milliseconds from now. */
const retryAfter = ({ status, headers, now }: FailedResponse): number | undefined => {
  if (status !== 429 && status !== 503 && status !== 403) return undefined
  const header = headers["retry-after"]?.trim()
  if (header !== undefined && /^\d+(\.\d+)?$/.test(header)) return capped(Number(header) * 1_000)
  if (header !== undefined) {
    const date = Date.parse(header)
    // The service's own clock is the one that the date was made with.
    const served = Date.parse(headers["date"] ?? "")
    if (!Number.isNaN(date)) return capped(date - (Number.isNaN(served) ? now() : served))
  }
  if (status === 403 && headers["x-ratelimit-remaining"] !== "0") return undefined
  const reset = Number(headers["ratelimit-reset"] ?? headers["x-ratelimit-reset"] ?? Number.NaN)
  if (!Number.isFinite(reset) || reset < 0) return undefined
  return capped(reset > 1e12 ? reset - now() : reset > 1e9 ? reset * 1_000 - now() : reset * 1_000)
}

const capped = (milliseconds: number): number =>
  Math.round(Math.min(Math.max(milliseconds, 0), 30 * 24 * 60 * 60 * 1_000))

interface ReadBody {
  readonly message: string | undefined
  readonly body: unknown
}

const readBody = (text: string, contentType: string | undefined): ReadBody => {
  const trimmed = text.trim()
  if (trimmed === "") return { message: undefined, body: undefined }
  if (trimmed.startsWith("{") || trimmed.startsWith("[")) {
    try {
      const value = JSON.parse(trimmed) as unknown
      const message = messageIn(value, 0)
      return {
        message: message === undefined ? undefined : cut(message, longestMessage),
        body: trimmed.length <= longestExcerpt ? value : (usefulPart(value) ?? cut(trimmed, longestExcerpt)),
      }
    } catch {
      // Not JSON after all.
    }
  }
  const isMarkup = contentType?.includes("html") === true || /^<(!doctype|html|\?xml|[a-z]+[\s>])/i.test(trimmed)
  const readable = isMarkup ? textOfMarkup(trimmed.slice(0, longestPage)) : trimmed
  if (readable === "") return { message: undefined, body: undefined }
  const [firstLine = ""] = readable.split("\n", 1)
  return { message: cut(firstLine, longestMessage), body: cut(readable, isMarkup ? longestMarkup : longestExcerpt) }
}

const longestMessage = 500
const longestMarkup = 500
// The words at the top say what happened, and the patterns below are quadratic for pages made to be.
const longestPage = 16_000

/** Where services put the sentence, best first: RFC 9457, then the usual words. */
const messageKeys = [
  "detail",
  "message",
  "error_description",
  "errorMessage",
  "error_message",
  "error",
  "title",
  "errors",
  "msg",
  "reason",
  "description",
  "faultstring",
  "fault",
  "Message",
]

const messageIn = (value: unknown, depth: number): string | undefined => {
  if (typeof value === "string") return textOf(value)?.trim()
  if (depth > 3) return undefined
  if (Array.isArray(value)) {
    const messages = listOf(value)
      .slice(0, 5)
      .map((item) => messageIn(item, depth + 1))
      .filter((one) => one !== undefined)
    return messages.length === 0 ? undefined : messages.join("; ")
  }
  if (!isJsonObject(value)) return undefined
  for (const key of messageKeys) {
    const message = Object.hasOwn(value, key) ? messageIn(value[key], depth + 1) : undefined
    if (message !== undefined) return key === "title" || key === "detail" ? withFields(value, message) : message
  }
  // `{ "email": ["is taken"] }`: field errors without a frame.
  if (depth === 0) return undefined
  const fields = Object.entries(value).flatMap(([key, item]) => {
    const message = Array.isArray(item) || typeof item === "string" ? messageIn(item, depth + 1) : undefined
    return message === undefined ? [] : [`${key} ${message}`]
  })
  return fields.length === 0 ? undefined : fields.slice(0, 5).join("; ")
}

/** Problem documents name the kind in `title` and the case in `detail`, and list what is wrong with the fields beside them. */
const withFields = (problem: JsonObject, message: string): string => {
  const title = textOf(problem["title"])
  const errors = messageIn(problem["errors"], 1)
  const start = title === undefined || message.includes(title) ? message : `${title}: ${message}`
  return errors === undefined || start.includes(errors) ? start : `${start} (${errors})`
}

const usefulKeys = [
  ...messageKeys,
  "type",
  "code",
  "status",
  "instance",
  "error_code",
  "errorCode",
  "details",
  "request_id",
  "requestId",
  "documentation_url",
]

const usefulPart = (value: unknown): unknown => {
  if (!isJsonObject(value)) return undefined
  const part = Object.fromEntries(usefulKeys.filter((key) => Object.hasOwn(value, key)).map((key) => [key, value[key]]))
  const text = JSON.stringify(part)
  return Object.keys(part).length > 0 && text.length <= longestExcerpt ? part : undefined
}

/** The words of an HTML page without scripts, styles and tags; the title comes first. */
const textOfMarkup = (markup: string): string => {
  const title = /<title[^>]*>([^<]*)<\/title>/i.exec(markup)?.[1]
  const body = markup
    .replaceAll(/<(script|style|head|svg)\b[\s\S]*?<\/\1\s*>/gi, " ")
    .replaceAll(/<!--[\s\S]*?-->/g, " ")
    .replaceAll(/<[^>]*>/g, " ")
  const decode = (text: string): string =>
    text
      .replaceAll(/&(amp|lt|gt|quot|nbsp|#39|apos);/g, (_, name: string) => entities.get(name) ?? " ")
      .replaceAll(/\s+/g, " ")
      .trim()
  const [heading, words] = [decode(title ?? ""), decode(body)]
  return heading === "" || words.startsWith(heading) ? words : [heading, words].filter((text) => text !== "").join("\n")
}

const entities = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["nbsp", " "],
  ["#39", "'"],
  ["apos", "'"],
])
