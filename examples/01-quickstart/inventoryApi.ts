/**
 * A small real HTTP API that demands `X-API-Key`: what a service on the internet would be, on a free port of 127.0.0.1.
 *
 * It knows nothing of Keyward. Its OpenAPI document, as any API publishes one, is at `/openapi.json` and needs no key.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import document from "./inventory.openapi.json" with { type: "json" }
import { digestOf } from "./keptData.ts"

/** The running API. */
export interface InventoryApi extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string
  /** `127.0.0.1:<port>`. */
  readonly host: string
  readonly port: number
  /** The keys that requests carried so far; `undefined` for one without. */
  readonly keysSeen: ReadonlyArray<string | undefined>
}

interface Item {
  readonly sku: string
  readonly name: string
  stock: number
}

/** Starts the API. The only key that it accepts is the one with this digest; `port` 0 is a free one. */
export const startInventoryApi = async (keyDigest: string, port: number): Promise<InventoryApi> => {
  const keysSeen: Array<string | undefined> = []
  const items: ReadonlyArray<Item> = [
    { sku: "LAMP-1", name: "Desk lamp", stock: 4 },
    { sku: "DESK-7", name: "Standing desk", stock: 1 },
  ]
  const server = createServer((request, response) => {
    void answer(request, response)
  })
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost")
    if (pathname === "/openapi.json") return send(response, 200, document)
    const given = request.headers["x-api-key"]
    keysSeen.push(typeof given === "string" ? given : undefined)
    if (digestOf(keysSeen.at(-1)) !== keyDigest)
      return send(response, 401, { message: "The API key is missing or has been revoked." })
    const [, collection, sku, part] = pathname.split("/").map(decodeURIComponent)
    const item = items.find((one) => one.sku === sku)
    if (collection === "items" && sku === undefined) return send(response, 200, items)
    if (collection !== "items" || item === undefined) return send(response, 404, { message: `There is no ${sku}.` })
    if (part === "reservations" && request.method === "POST") return reserve(item, await body(request), response)
    return send(response, 200, item)
  }
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new Error(`Port ${port} is taken: does another quickstart run over the same data?`, { cause })),
    )
    server.listen(port, "127.0.0.1", resolve)
  })
  const { port: bound } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${bound}`,
    host: `127.0.0.1:${bound}`,
    port: bound,
    keysSeen,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const reserve = (item: Item, input: unknown, response: ServerResponse): void => {
  const { quantity } = input as { readonly quantity: number }
  if (quantity > item.stock) return send(response, 409, { message: `Only ${item.stock} of ${item.sku} are left.` })
  item.stock -= quantity
  return send(response, 201, { sku: item.sku, reserved: quantity, left: item.stock })
}

const body = async (request: IncomingMessage): Promise<unknown> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown
}

const send = (response: ServerResponse, status: number, value: unknown): void => {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify(value))
}
