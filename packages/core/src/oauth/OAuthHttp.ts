/**
 * How OAuth requests leave: through the egress like everything else, never following a redirect, small and soon.
 *
 * Hands the protocol library a `fetch` and keeps what came over the wire, because failures are judged by that.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Egress } from "../http/Egress.ts"
import { EgressTimeoutError, type HttpError, ResponseTooLargeError } from "../http/HttpError.ts"
import { noAuthorizer, type WireResponse } from "../http/Wire.ts"

/** A request to an authorization server or for metadata. */
export interface OAuthRequest {
  readonly method: string
  readonly url: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  /** Default 1 MiB. */
  readonly maxBytes?: number | undefined
  /** Milliseconds for the whole exchange. Default 20 000. */
  readonly timeoutMs?: number | undefined
}

/** What came back, whole. May hold tokens: it must not reach an error, a log or an event. */
export interface OAuthResponse {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Epoch milliseconds at which the request was sent. */
  readonly sentAt: number
}

/** See the file's header. */
export interface OAuthHttp {
  send(request: OAuthRequest): Effect.Effect<OAuthResponse, HttpError>
}

const mostBytes = 1024 * 1024
const longestMs = 20_000

/** OAuth requests over an egress. A redirect is handed on as the response that it is. */
export const makeOAuthHttp = (egress: Pick<Egress, "send">): OAuthHttp => ({
  send: ({ method, url, headers, body, maxBytes = mostBytes, timeoutMs = longestMs }) =>
    Effect.gen(function* () {
      const target = new URL(url)
      const sentAt = yield* Clock.currentTimeMillis
      const wire = { method, url: target, headers: { ...fixedHeaders, ...headers }, body, redirect: "manual" as const }
      return yield* Effect.timeoutOrElse(
        Effect.flatMap(egress.send(wire, noAuthorizer), (response) =>
          Effect.map(readText(response, target.origin, maxBytes), (text) => ({
            status: response.status,
            headers: response.headers,
            body: text,
            sentAt,
          })),
        ),
        {
          duration: timeoutMs,
          orElse: () => Effect.fail(new EgressTimeoutError({ origin: target.origin, timeoutMs, phase: "response" })),
        },
      )
    }),
})

const fixedHeaders = { accept: "application/json", "accept-encoding": "gzip, deflate, br", "user-agent": "keyward" }

/** Whether credentials and codes may travel to this endpoint: https, or http on this machine for development. */
export const isSecureEndpoint = (url: string): boolean => {
  const parsed = URL.parse(url)
  if (parsed === null || parsed.username !== "" || parsed.password !== "") return false
  if (parsed.protocol === "https:") return true
  return parsed.protocol === "http:" && /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(parsed.hostname)
}

const readText = (response: WireResponse, origin: string, maxBytes: number): Effect.Effect<string, HttpError> => {
  const stream = response.stream()
  if (stream === null) return Effect.succeed("")
  return Effect.callback((resume) => {
    const chunks: Array<Uint8Array> = []
    let size = 0
    const read = async (): Promise<void> => {
      for await (const chunk of stream) {
        size += chunk.byteLength
        if (size > maxBytes) {
          response.abort()
          resume(Effect.fail(new ResponseTooLargeError({ origin, maxResponseBytes: maxBytes })))
          return
        }
        chunks.push(chunk)
      }
      resume(Effect.succeed(Buffer.concat(chunks).toString("utf8")))
    }
    // The egress' own failures are the only ones that a stream of its responses ends with.
    read().catch((error: unknown) => resume(Effect.fail(error as HttpError)))
    return Effect.sync(() => response.abort())
  })
}
