/**
 * What an HTTP status means for a GraphQL request, and whether it is worth sending again.
 *
 * Spec: [RFC 9110, section 15](https://www.rfc-editor.org/rfc/rfc9110#section-15).
 */

/** The code of a failure with a status. */
export const codeOfStatus = (status: number): string =>
  codes.get(status) ?? (status >= 500 ? "upstream_error" : "http_error")

/** Whether the same request may be sent again; for a mutation only where the service says that it did nothing. */
export const isRetryableStatus = (status: number, isMutation: boolean): boolean =>
  (isMutation ? [425, 429, 503] : [408, 425, 429, 500, 502, 503, 504]).includes(status)

/** How long the service asks to wait, in milliseconds; at most 30 days. */
export const retryAfterOf = (headers: Readonly<Record<string, string>>): number | undefined => {
  const header = headers["retry-after"]?.trim()
  if (header === undefined) return undefined
  if (/^\d+(\.\d+)?$/.test(header)) return capped(Number(header) * 1_000)
  // The service's own clock is the one that the date was made with.
  const wait = Date.parse(header) - Date.parse(headers["date"] ?? "")
  return Number.isNaN(wait) ? undefined : capped(wait)
}

const capped = (milliseconds: number): number =>
  Math.round(Math.min(Math.max(milliseconds, 0), 30 * 24 * 60 * 60 * 1_000))

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
  [413, "too_large"],
  [415, "unsupported_media_type"],
  [422, "unprocessable"],
  [425, "too_early"],
  [429, "rate_limited"],
  [503, "upstream_unavailable"],
  [504, "upstream_timeout"],
])
