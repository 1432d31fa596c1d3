/**
 * **Apply**, the third verb of every call: a `fetch` that is bound to one connection.
 *
 * Nothing is resolved until a request is about to leave. The order is fixed: bind the URL, check the status, resolve,
 * apply, send; on a 401, forget what the provider cached, read again, and send once more if that changed anything.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Span } from "effect/Tracer"
import { applyAuth, type CredentialValues, isSameCredential } from "../../auth/applyAuth.ts"
import type { CompiledTemplate } from "../../auth/AuthTemplate.ts"
import { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import { type HttpError, InvalidRequestError } from "../../http/HttpError.ts"
import { bindUrl, type OriginBinding } from "../../http/originBinding.ts"
import {
  encodeBody,
  readFetchArguments,
  readHeaders,
  type RequestBody,
  toResponse,
  type UnboundRequest,
} from "../../http/standardFetch.ts"
import { noAuthorizer, type RequestAuthorizer, type WireRequest, type WireResponse } from "../../http/Wire.ts"
import type { Fetch, Send, SentResponse } from "../../integration/Plugin.ts"
import { andThen } from "../andThen.ts"
import type { CallStop } from "../call/CallStop.ts"
import type { CredentialSource } from "./CredentialSource.ts"
import type { ProofOfPossession } from "../oauth/ProofOfPossession.ts"
import { inSpan, type SpanPlace } from "../inSpan.ts"
import { redactDeep } from "../call/redactDeep.ts"
import type { Resources } from "../Resources.ts"
import { runPromise } from "../runPromise.ts"

/** A response, and what authorized the request for it. */
export interface AuthorizedResponse {
  readonly response: WireResponse
  readonly authorizer: RequestAuthorizer
}

/** Who is told of a request before it leaves; its call's span is the one around it. */
export interface RequestObserver {
  readonly span: Span | undefined
  headFor(url: URL): void
}

/** Sends one request under a connection's credential. See the file's header for the order of things. */
export const sendAuthorized = (
  resources: Resources,
  binding: OriginBinding,
  source: CredentialSource,
  request: UnboundRequest,
  observer?: RequestObserver,
): Effect.Effect<AuthorizedResponse, HttpError | ConnectionCredentialError> =>
  andThen(bindUrl(request.url, binding), (url) =>
    andThen(source.template, (template) => {
      const place = (): SpanPlace => ({ parent: observer?.span, attributes: { connection: source.connection } })
      return andThen(
        inSpan(resources, "keyward.resolve", place, () => source.resolve(template)),
        (values) => {
          const wire = toWire(request, url)
          observer?.headFor(url)
          return andThen(
            inSpan(resources, "keyward.apply", place, () => authorizerOf(source, template, values)),
            (authorizer) =>
              inSpan(resources, "keyward.send", place, () =>
                resources.egress.sendThen(wire, authorizer, (response) =>
                  source.proof !== undefined
                    ? sendProven(resources, source, source.proof, template, values, wire, { response, authorizer })
                    : response.status === 401
                      ? retryAnew(resources, source, template, values, wire, { response, authorizer })
                      : Effect.succeed({ response, authorizer }),
                ),
              ),
          )
        },
      )
    }),
  )

/** Sends one request without any credential, still bound to the integration's origins where there is one. */
export const sendAnonymous = (
  resources: Resources,
  binding: OriginBinding | undefined,
  request: UnboundRequest,
  observer?: RequestObserver,
): Effect.Effect<AuthorizedResponse, HttpError> =>
  andThen(binding === undefined ? anyOrigin(request.url) : bindUrl(request.url, binding), (url) => {
    observer?.headFor(url)
    const place = (): SpanPlace => ({ parent: observer?.span, attributes: {} })
    return inSpan(resources, "keyward.send", place, () =>
      resources.egress.sendThen(toWire(request, url), noAuthorizer, (response) =>
        Effect.succeed({ response, authorizer: noAuthorizer }),
      ),
    )
  })

/** Makes a standard `fetch` of a way to send. The stop of the call that it is part of ends it besides the caller's signal. */
export const toFetch =
  (send: (request: UnboundRequest) => Effect.Effect<AuthorizedResponse, Error>, stop?: CallStop): Fetch =>
  (input, init) => {
    try {
      const request = readFetchArguments(input, init)
      return request instanceof Promise
        ? request.then((read) => respond(send, read, stop))
        : respond(send, request, stop)
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new TypeError(String(error)))
    }
  }

/** Makes the lean `send` of plugins; see `Send` in integration/Plugin.ts. */
export const toSend =
  (
    send: (request: UnboundRequest, isAnonymous: boolean) => Effect.Effect<AuthorizedResponse, Error>,
    stop?: CallStop,
  ): Send =>
  async ({ method, url, headers, body, signal, anonymous }) => {
    const named = readHeaders(headers)
    const encoded = encodeBody(body as RequestBody, named)
    const request: UnboundRequest = {
      url,
      method: method?.toUpperCase() ?? "GET",
      headers: named,
      body: encoded instanceof Promise ? await encoded : encoded,
      signal,
    }
    const answer = await runPromise(send(request, anonymous === true), signal, stop)
    stopWith(answer.response, signal, stop)
    return sentResponse(answer)
  }

const respond = (
  send: (request: UnboundRequest) => Effect.Effect<AuthorizedResponse, Error>,
  request: UnboundRequest,
  stop: CallStop | undefined,
): Promise<Response> =>
  runPromise(
    Effect.map(send(request), ({ response, authorizer }) => {
      stopWith(response, request.signal, stop)
      return toResponse(response, shownUrl(response, authorizer))
    }),
    request.signal,
    stop,
  )

/** An abort after the headers still stops the body, as it does with the platform's fetch; and leaves no listener behind. */
const stopWith = (response: WireResponse, signal: AbortSignal | undefined, stop: CallStop | undefined): void => {
  if (signal === undefined && stop === undefined) return
  const abort = (): void => {
    response.abort()
  }
  if (signal?.aborted === true || stop?.signal.aborted === true) abort()
  signal?.addEventListener("abort", abort, { once: true })
  stop?.add(abort)
  response.whenDone(() => {
    signal?.removeEventListener("abort", abort)
    stop?.delete(abort)
  })
}

/** A credential in the query is the wire's affair, and a `Response` tells its URL to whoever holds it. */
const shownUrl = ({ url, isRedirected }: WireResponse, authorizer: RequestAuthorizer): string =>
  isRedirected || url.includes("?") ? authorizer.redact(url) : url

const sentResponse = ({ response, authorizer }: AuthorizedResponse): SentResponse => {
  const { headers } = response
  return {
    status: response.status,
    headers: redactedHeaders(headers, authorizer),
    url: shownUrl(response, authorizer),
    text: async () => authorizer.redact(decoder.decode(await response.bytes())),
    json: async () => {
      const document = decoder.decode(await response.bytes())
      const redacted = authorizer.redact(document)
      const value =
        redacted === document ? (JSON.parse(document) as unknown) : parseRedacted(document, redacted, authorizer)
      // Escapes can hide a secret from a look at the text.
      return document.includes("\\") ? redactDeep(value, authorizer) : value
    },
    bytes: async () => {
      const bytes = await response.bytes()
      const latin1 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")
      return authorizer.carries(latin1) ? Buffer.from(authorizer.redact(latin1), "latin1") : bytes
    },
  }
}

const decoder = new TextDecoder()

/** A secret that is a number, taken out of the text, leaves no JSON: then it is taken out of the value. */
const parseRedacted = (document: string, redacted: string, authorizer: RequestAuthorizer): unknown => {
  try {
    return JSON.parse(redacted) as unknown
  } catch (error) {
    const value = parseOr(document, error, (_, item: unknown) =>
      typeof item === "number" ? withoutNumber(item, authorizer) : item,
    )
    return redactDeep(value, authorizer)
  }
}

const withoutNumber = (item: number, authorizer: RequestAuthorizer): number | string => {
  const text = String(item)
  return authorizer.carries(text) ? authorizer.redact(text) : item
}

/** Fails with the error given: one of parsing quotes the text, and this one is not redacted. */
const parseOr = (document: string, error: unknown, revive: (key: string, item: unknown) => unknown): unknown => {
  try {
    return JSON.parse(document, revive) as unknown
  } catch {
    throw error
  }
}

const redactedHeaders = (
  headers: Readonly<Record<string, string>>,
  authorizer: RequestAuthorizer,
): Readonly<Record<string, string>> => {
  // One look over all of them: hardly ever does a service send a credential back.
  let all = ""
  for (const name in headers) all += `${headers[name] ?? ""}\n`
  if (authorizer.carries(all)) {
    return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, authorizer.redact(value)]))
  }
  return headers
}

/** Goes on after an answer to a request with a proof: a server may ask for a nonce in it, once, before it judges the token. */
const sendProven = (
  resources: Resources,
  source: CredentialSource,
  proof: ProofOfPossession,
  template: CompiledTemplate,
  values: CredentialValues,
  wire: WireRequest,
  first: AuthorizedResponse,
): Effect.Effect<AuthorizedResponse, HttpError | ConnectionCredentialError> =>
  Effect.gen(function* () {
    const isReplayable = !(wire.body instanceof ReadableStream)
    let answer = first
    if (proof.heed(wire.url, first.response) && isReplayable) {
      first.response.discard()
      answer = { response: yield* resources.egress.send(wire, first.authorizer), authorizer: first.authorizer }
      proof.heed(wire.url, answer.response)
    }
    return answer.response.status === 401 ? yield* retryAnew(resources, source, template, values, wire, answer) : answer
  })

const retryAnew = (
  resources: Resources,
  source: CredentialSource,
  template: CompiledTemplate,
  rejected: CredentialValues,
  wire: WireRequest,
  first: AuthorizedResponse,
): Effect.Effect<AuthorizedResponse, HttpError | ConnectionCredentialError> =>
  Effect.gen(function* () {
    const values = yield* source.resolveAnew(template, rejected)
    if (values === undefined || isSameCredential(values, rejected)) return first
    // A stream is gone once it was sent: the next request has the new credential.
    if (wire.body instanceof ReadableStream) return first
    first.response.discard()
    const authorizer = yield* authorizerOf(source, template, values)
    return {
      response: yield* resources.egress.send(wire, authorizer),
      authorizer: hiding(first.authorizer, authorizer),
    }
  })

/** An authorizer that also looks for the secrets of the one before it: what was turned down is still a secret. */
const hiding = (before: RequestAuthorizer, authorizer: RequestAuthorizer): RequestAuthorizer => ({
  authorize: (request) => authorizer.authorize(request),
  places: (header) => authorizer.places(header),
  carries: (text) => authorizer.carries(text) || before.carries(text),
  redact: (text) => before.redact(authorizer.redact(text)),
})

const authorizerOf = (
  source: CredentialSource,
  template: CompiledTemplate,
  values: CredentialValues,
): Effect.Effect<RequestAuthorizer, ConnectionCredentialError> => {
  const applied = applyAuth(template, values)
  if (Result.isSuccess(applied)) {
    return source.proof === undefined ? Effect.succeed(applied.success) : source.proof.bind(applied.success, values)
  }
  return Effect.fail(
    new ConnectionCredentialError({
      code: "connection_not_placeable",
      connection: source.connection,
      reason: `${applied.failure.location} ${applied.failure.name}`,
      nextStep: applied.failure.message,
      retryable: false,
      authRequired: true,
    }),
  )
}

const toWire = (request: UnboundRequest, url: URL): WireRequest => {
  const { headers } = request
  headers["accept"] ??= "*/*"
  headers["accept-encoding"] ??= "gzip, deflate, br"
  headers["user-agent"] ??= "keyward"
  return { method: request.method, url, headers, body: request.body, redirect: request.redirect }
}

const anyOrigin = (target: string | URL): Effect.Effect<URL, HttpError> => {
  const origin = URL.canParse(String(target)) ? new URL(String(target)).origin : undefined
  return origin === undefined
    ? Effect.fail(new InvalidRequestError({ reason: "its URL cannot be parsed." }))
    : bindUrl(target, { baseUrl: null, origins: [origin] })
}
