/**
 * A loopback server for handlers that speak the standard `Request` and `Response`; it keeps what arrived.
 */
import { once } from "node:events"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { Readable } from "node:stream"
import { onTestFinished } from "vitest"

/** One request as it arrived. */
interface Arrived {
  readonly method: string
  readonly path: string
  readonly headers: Headers
  /** The method of the JSON-RPC message, where there is one. */
  readonly rpc: string | undefined
}

/** A running server. */
export interface LoopbackServer {
  readonly origin: string
  /** As `egress.allowHosts` takes it. */
  readonly host: string
  readonly arrived: ReadonlyArray<Arrived>
  close(): Promise<void>
}

/** Serves a handler until the test is over. */
export const serveLoopback = async (
  handle: (request: Request, body: unknown) => Promise<Response>,
): Promise<LoopbackServer> => {
  const arrived: Array<Arrived> = []
  const server = createServer((message, response) => {
    void (async () => {
      const text = await textOf(message)
      const body = text === "" ? undefined : parsed(text)
      const gone = new AbortController()
      response.once("close", () => gone.abort())
      const request = requestOf(message, text, gone.signal)
      const rpc = (body as { readonly method?: string } | undefined)?.method
      arrived.push({ method: request.method, path: new URL(request.url).pathname, headers: request.headers, rpc })
      const answer = await handle(request, body)
      response.writeHead(answer.status, Object.fromEntries(answer.headers))
      // So that whoever waits for a stream sees that it is there.
      response.flushHeaders()
      if (answer.body === null) response.end()
      else Readable.fromWeb(answer.body).pipe(response)
    })().catch((error: unknown) => response.destroy(error as Error))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }
  onTestFinished(close)
  return { origin: `http://127.0.0.1:${port}`, host: `127.0.0.1:${port}`, arrived, close }
}

const textOf = async (message: IncomingMessage): Promise<string> => {
  const pieces: Array<Buffer> = []
  for await (const piece of message) pieces.push(piece as Buffer)
  return Buffer.concat(pieces).toString()
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const requestOf = (message: IncomingMessage, text: string, signal: AbortSignal): Request => {
  const headers = new Headers()
  for (const [name, value] of Object.entries(message.headers)) if (typeof value === "string") headers.set(name, value)
  const { method = "GET", url = "/" } = message
  return new Request(`http://${message.headers.host ?? "127.0.0.1"}${url}`, {
    method,
    headers,
    signal,
    ...(text === "" ? {} : { body: text }),
  })
}
