/**
 * Requests and responses between the authorized fetch and the network: plain values that are cheap to make per call.
 *
 * The standard `Request` and `Response` are made of them at the edge, where somebody asked for a standard `fetch`.
 */

/** What may be sent. A stream can be sent once; everything else can be sent again after a redirect or a 401. */
export type WireBody = string | Uint8Array | ReadableStream<Uint8Array> | null

/** A request that is ready to leave, or ready but for its credential. Header names are in lower case. */
export interface WireRequest {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: WireBody
  /** What its response tells as its URL, where `url` holds a credential. */
  readonly shownUrl?: URL | undefined
  /** As in the standard `fetch`. Default: `"follow"`. */
  readonly redirect?: RequestInit["redirect"] | undefined
}

/** Whether a request says that it would take an event stream, which may be silent for as long as nothing happens. */
export const wantsEventStream = ({ headers }: Pick<WireRequest, "headers">): boolean =>
  headers["accept"]?.includes("text/event-stream") === true

/** Whether an answer with these headers is an event stream. */
export const isEventStream = (headers: Readonly<Record<string, string>>): boolean =>
  /^\s*text\/event-stream\b/i.test(headers["content-type"] ?? "")

/** A response whose body has not been read yet. Exactly one of the readers may be used, once. */
export interface WireResponse {
  readonly status: number
  /** Names in lower case; a header that came several times is joined with `, `, except `set-cookie`. */
  readonly headers: Readonly<Record<string, string>>
  readonly setCookies: ReadonlyArray<string>
  /** Where the response came from after redirects, without what was placed in the query. */
  readonly url: string
  readonly isRedirected: boolean
  /** The same response, saying that redirects led to it. */
  asRedirected(): WireResponse
  /** The whole body, decoded from its content encoding, within the deadline and the cap. */
  bytes(): Promise<Uint8Array>
  /** The body as it arrives, for as long as it arrives; idle time is limited, total time is not. */
  stream(): ReadableStream<Uint8Array> | null
  /** Gives the connection back without keeping the rest of the body. */
  discard(): void
  /** Ends the body and its socket; a reader under way rejects. */
  abort(): void
  /** Calls back once, when the body has ended in whichever way. */
  whenDone(listener: () => void): void
}

/** Puts a credential on requests. Made by `applyAuth`; the only thing that holds the secret while a request is under way. */
export interface RequestAuthorizer {
  /** The request with every placement set, replacing what the caller put in the same places. */
  authorize(request: WireRequest): WireRequest
  /** Whether a header, named in lower case, is one the credential is placed in. */
  places(header: string): boolean
  /** Whether a text holds one of the secrets, in clear or encoded as headers and URLs encode them. */
  carries(text: string): boolean
  /** The text with every secret replaced by `<redacted>`. */
  redact(text: string): string
}

/** Authorizes nothing: for connections without a credential. */
export const noAuthorizer: RequestAuthorizer = {
  authorize: (request) => request,
  places: () => false,
  carries: () => false,
  redact: (text) => text,
}
