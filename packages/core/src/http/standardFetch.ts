/**
 * Between the standard `fetch` and the wire: reads its arguments, makes its `Response`.
 *
 * Called by the authorized fetch. Headers that frame or route the message are the transport's own and are dropped.
 */
import { fetchedResponse } from "./FetchTransport.ts"
import { InvalidRequestError } from "./HttpError.ts"
import type { WireBody, WireResponse } from "./Wire.ts"

/** A request before its URL was bound and its credential placed. */
export interface UnboundRequest {
  readonly url: string | URL
  readonly method: string
  /** Names in lower case. */
  readonly headers: Record<string, string>
  readonly body: WireBody
  readonly signal: AbortSignal | undefined
  /** Default: `"follow"`. */
  readonly redirect?: RequestInit["redirect"] | undefined
}

/** Body types that a caller may pass. */
export type RequestBody = NonNullable<RequestInit["body"]> | null | undefined

/** Reads the arguments of `fetch`. Asynchronous only for bodies that have to be encoded, such as `FormData`. */
export const readFetchArguments = (
  input: string | URL | Request,
  init: RequestInit | undefined,
): UnboundRequest | Promise<UnboundRequest> => {
  const request = input instanceof Request ? input : undefined
  const headers = readHeaders(init?.headers ?? request?.headers)
  const given = {
    url: request === undefined ? (input as string | URL) : request.url,
    method: (init?.method ?? request?.method ?? "GET").toUpperCase(),
    headers,
    signal: init?.signal ?? request?.signal ?? undefined,
    redirect: init?.redirect ?? request?.redirect,
  }
  const body = encodeBody(init?.body ?? (request?.body as RequestBody), headers)
  return body instanceof Promise ? body.then((encoded) => ({ ...given, body: encoded })) : { ...given, body }
}

/** Makes a plain record of headers in lower case, without those that are the transport's own. */
export const readHeaders = (headers: RequestInit["headers"] | Headers): Record<string, string> => {
  const record: Record<string, string> = {}
  if (headers === undefined) return record
  if (headers instanceof Headers || Array.isArray(headers) || Symbol.iterator in headers) {
    for (const [name, value] of headers as Iterable<[string, string]>) addHeader(record, name, value)
  } else {
    for (const name of Object.keys(headers)) addHeader(record, name, (headers as Record<string, string>)[name])
  }
  return record
}

/** Encodes a body and names its content type, as the fetch standard does, unless the caller named one. */
export const encodeBody = (body: RequestBody, headers: Record<string, string>): WireBody | Promise<WireBody> => {
  if (body === null || body === undefined) return null
  if (typeof body === "string") {
    headers["content-type"] ??= "text/plain;charset=UTF-8"
    return body
  }
  // A copy, because it is sent later, after the credential was read.
  if (body instanceof Uint8Array) return new Uint8Array(body)
  if (body instanceof ReadableStream) return body as ReadableStream<Uint8Array>
  if (body instanceof URLSearchParams) {
    headers["content-type"] ??= "application/x-www-form-urlencoded;charset=UTF-8"
    return body.toString()
  }
  const encoder = new Response(body as NonNullable<RequestInit["body"]>)
  const contentType = encoder.headers.get("content-type")
  if (contentType !== null && (body instanceof FormData || headers["content-type"] === undefined)) {
    headers["content-type"] = contentType
  }
  return encoder.arrayBuffer().then((buffer) => new Uint8Array(buffer))
}

/** Makes the standard `Response` of a wire response; `url` is what it tells as its URL, free of secrets. */
export const toResponse = (wire: WireResponse, url: string): Response => {
  const response = fetchedResponse(wire) ?? receivedResponse(wire)
  if (response.url !== url) Object.defineProperty(response, "url", { value: url, configurable: true })
  if (wire.isRedirected) Object.defineProperty(response, "redirected", { value: true, configurable: true })
  return response
}

const receivedResponse = (wire: WireResponse): Response => {
  const headers = new Headers(wire.headers)
  for (const cookie of wire.setCookies) headers.append("set-cookie", cookie)
  const { status } = wire
  if (status <= 599) return new Response(wire.stream(), { status, headers })
  // Some services answer 999; the constructor refuses it, and the platform's fetch hands it on.
  return Object.defineProperties(new Response(wire.stream(), { headers }), {
    status: { value: status },
    ok: { value: false },
  })
}

const addHeader = (record: Record<string, string>, name: string, value: unknown): void => {
  const key = name.toLowerCase()
  if (transportHeaders.has(key) || key === "__proto__" || value === undefined || value === null) return
  const text = typeof value === "string" ? value : `${value as number}`
  if (!headerValue.test(text)) {
    throw new InvalidRequestError({
      reason: `its header ${JSON.stringify(key.slice(0, 80))} holds a line break or another character that is not allowed.`,
    })
  }
  record[key] = Object.hasOwn(record, key) ? `${record[key] ?? ""}, ${text}` : text
}

// eslint-disable-next-line no-control-regex -- says which control characters may not be sent
const headerValue = /^[\t\u0020-\u007e\u0080-\u00ff]*$/

const transportHeaders = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "proxy-connection",
  "proxy-authorization",
  "keep-alive",
  "upgrade",
  "te",
  "trailer",
  "expect",
])
