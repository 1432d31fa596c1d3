/**
 * The ways in which the fake authorization server misbehaves, one per request, and how each turns into an answer on the wire.
 */
import { drip, filler, type UpstreamAnswer, type UpstreamRequest } from "../fakeUpstream.ts"

/**
 * What goes wrong with one request.
 *
 * Faults marked *processed* let the server do its work first (rotate a token, spend a code), as a client cannot know when an answer
 * is lost; the others leave its state alone. Those with `isProcessed` can do either; default: not.
 */
export type AuthorizationServerFault =
  /** Nothing: the server behaves. For scripts in which a later request fails. */
  | { readonly fault: "none" }
  /** This answer and no other. */
  | {
      readonly fault: "answer"
      /** Default 200. */
      readonly status?: number
      readonly headers?: Readonly<Record<string, string>>
      readonly json?: unknown
      readonly body?: string
    }
  /** An OAuth error; with `isChallenged` a `WWW-Authenticate` comes along, whatever the status. */
  | {
      readonly fault: "error"
      readonly error: string
      readonly description?: string
      /** Default 400. */
      readonly status?: number
      readonly headers?: Readonly<Record<string, string>>
      readonly isChallenged?: boolean
    }
  /** A page of HTML, as of a proxy or a captive portal. Default status 200. */
  | { readonly fault: "html"; readonly status?: number }
  /** Default status 302. */
  | { readonly fault: "redirect"; readonly location: string; readonly status?: 301 | 302 | 303 | 307 | 308 }
  /** A JSON text of so many bytes, streamed. Default 50,000,000. */
  | { readonly fault: "huge"; readonly bytes?: number }
  /** No answer, ever; the connection stays open. */
  | { readonly fault: "hang"; readonly isProcessed?: boolean }
  /** Status and headers of the answer, then nothing. Processed. */
  | { readonly fault: "hang_after_headers" }
  /** The connection is reset before an answer. */
  | { readonly fault: "reset"; readonly isProcessed?: boolean }
  /** Half of the answer, then the connection is cut. Processed. */
  | { readonly fault: "truncate" }
  /** The answer byte by byte. Processed. */
  | { readonly fault: "drip"; readonly everyMs: number }
  /** The answer when a promise resolves: with `isProcessed` the work is done at once. */
  | { readonly fault: "hold"; readonly until: Promise<unknown>; readonly isProcessed?: boolean }
  /** The answer with these members set; `undefined` leaves one out. Processed. */
  | {
      readonly fault: "change"
      readonly json?: Readonly<Record<string, unknown>>
      readonly status?: number
      readonly headers?: Readonly<Record<string, string>>
    }
  /** The answer below a member of this name, such as `authed_user`. Processed. */
  | { readonly fault: "nest"; readonly under: string }
  /** The answer form-encoded. Processed. */
  | { readonly fault: "form" }
  /** The redirect to the client with these parameters set; `null` leaves one out. Processed. */
  | { readonly fault: "callback"; readonly parameters: Readonly<Record<string, string | null>> }

/** What the server would answer if it behaved. */
export interface SoundAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: Readonly<Record<string, unknown>>
  /** The callback, of an authorization response. */
  readonly redirect?: string
}

/** The answer under a fault; `sound` does the server's work, at most once. */
export const answerUnder = async (
  fault: AuthorizationServerFault,
  sound: () => SoundAnswer,
  request: UpstreamRequest,
): Promise<UpstreamAnswer> => {
  switch (fault.fault) {
    case "none":
      return onTheWire(sound())
    case "answer": {
      const { fault: _, ...answer } = fault
      return answer
    }
    case "error":
      return {
        status: fault.status ?? 400,
        headers: {
          ...(fault.isChallenged === true && { "www-authenticate": `Bearer error="${fault.error}"` }),
          ...fault.headers,
        },
        json: { error: fault.error, ...(fault.description !== undefined && { error_description: fault.description }) },
      }
    case "html":
      return {
        status: fault.status ?? 200,
        headers: { "content-type": "text/html; charset=utf-8" },
        body: "<!doctype html><title>Sign in</title><p>Please sign in.",
      }
    case "redirect":
      return { redirect: fault.location, status: fault.status ?? 302 }
    case "huge":
      return { headers: { "content-type": "application/json" }, body: hugeJson(fault.bytes ?? 50_000_000) }
    case "hang":
    case "reset":
      if (fault.isProcessed === true) sound()
      return { fault: fault.fault }
    case "hang_after_headers":
      return inPieces(sound(), (text) => [text.slice(0, 0)], request.abandoned)
    case "truncate":
      return inPieces(sound(), (text) => [text.slice(0, text.length >> 1)], handedOver())
    case "drip": {
      const { headers, text, status } = written(sound())
      return { status, headers, body: drip(text, fault.everyMs) }
    }
    case "hold": {
      if (fault.isProcessed !== true) {
        await fault.until
        return onTheWire(sound())
      }
      const answer = sound()
      await fault.until
      return onTheWire(answer)
    }
    case "change": {
      const answer = sound()
      return onTheWire({
        ...answer,
        status: fault.status ?? answer.status,
        headers: { ...answer.headers, ...fault.headers },
        json: { ...answer.json, ...fault.json },
      })
    }
    case "nest": {
      const answer = sound()
      return onTheWire({ ...answer, json: { ok: true, [fault.under]: answer.json } })
    }
    case "form": {
      const { status, headers, json } = sound()
      const pairs = Object.entries(json ?? {}).map(([name, value]): [string, string] => [name, String(value)])
      return {
        status,
        headers: { ...headers, "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams(pairs).toString(),
      }
    }
    case "callback": {
      const answer = sound()
      if (answer.redirect === undefined) return onTheWire(answer)
      const callback = new URL(answer.redirect)
      for (const [name, value] of Object.entries(fault.parameters)) {
        if (value === null) callback.searchParams.delete(name)
        else callback.searchParams.set(name, value)
      }
      return onTheWire({ ...answer, redirect: callback.href })
    }
  }
}

const onTheWire = ({ status, headers = {}, json, redirect }: SoundAnswer): UpstreamAnswer =>
  redirect === undefined ? { status, headers, json } : { redirect, status: 302, headers }

const written = ({
  status,
  headers,
  json = {},
}: SoundAnswer): { readonly status: number; readonly headers: Record<string, string>; readonly text: string } => {
  const text = JSON.stringify(json)
  return {
    status,
    text,
    headers: {
      ...headers,
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(text)),
    },
  }
}

/** The pieces of an answer whose length is promised whole; then `end`, and the connection is cut where the promise was not kept. */
const inPieces = (
  answer: SoundAnswer,
  cutUp: (text: string) => ReadonlyArray<string>,
  end: Promise<unknown>,
): UpstreamAnswer => {
  const { status, headers, text } = written(answer)
  const body = async function* (): AsyncGenerator<string, void> {
    yield* cutUp(text)
    await end
    throw new Error("The answer ends here, as told.")
  }
  return { status, headers, body: body() }
}

/** When what was written before is on its way. */
const handedOver = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function* hugeJson(bytes: number): Generator<Uint8Array, void> {
  yield Buffer.from(`{"filler":"`)
  yield* filler(bytes)
  yield Buffer.from(`"}`)
}
