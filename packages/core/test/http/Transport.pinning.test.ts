/**
 * The address that was judged is the one that the socket connects to: a resolver that changes its answer gains nothing.
 *
 * `node:dns` is replaced, and a policy under which 127.0.0.2 stands for the public network and 127.0.0.1 for the inside.
 */
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest"
import type { AddressPolicy } from "../../src/http/AddressPolicy.ts"
import { AddressNotAllowedError, type HttpError, isHttpError } from "../../src/http/HttpError.ts"
import { undiciTransport } from "../../src/http/Transport.ts"
import type { WireResponse } from "../../src/http/Wire.ts"

type Answer = (
  error: Error | null,
  addresses?: ReadonlyArray<{ readonly address: string; readonly family: number }>,
) => void

const resolver = vi.hoisted(() => ({ answers: [] as Array<ReadonlyArray<string>>, asked: [] as Array<string> }))

vi.mock("node:dns", async (original) => ({
  ...(await original<typeof import("node:dns")>()),
  lookup: (name: string, _options: unknown, callback: Answer) => {
    resolver.asked.push(name)
    const addresses = resolver.answers.shift()
    if (addresses === undefined) callback(Object.assign(new Error("asked too often"), { code: "ENOTFOUND" }))
    else
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
      )
  },
}))

beforeEach(() => {
  resolver.answers = []
  resolver.asked = []
})

const outside = "127.0.0.2"
const inside = "127.0.0.1"
const policy: AddressPolicy = { isListed: () => false, isPublic: (address) => address === outside }

/** Two servers on one port: which address a request came in at is what it says. */
const servers = async (): Promise<{ readonly port: number; readonly arrived: ReadonlyArray<string> }> => {
  const arrived: Array<string> = []
  let port = 0
  for (const address of [outside, inside]) {
    const server = createServer((message, response) => {
      arrived.push(address)
      response.writeHead(200, { connection: message.url === "/last" ? "close" : "keep-alive" }).end(address)
    })
    server.listen(port, address)
    await once(server, "listening")
    port = (server.address() as AddressInfo).port
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
  }
  return { port, arrived }
}

const transport = () => {
  const made = undiciTransport({ timeoutMs: 5000, maxResponseBytes: 1000 }, policy)
  onTestFinished(() => made.close())
  return (url: string): Promise<WireResponse | HttpError> =>
    new Promise((resolve) => {
      made.send({ method: "GET", url: new URL(url), headers: {}, body: null }, resolve)
    })
}

const text = async (outcome: WireResponse | HttpError): Promise<string> => {
  if (isHttpError(outcome)) throw outcome
  return Buffer.from(await outcome.bytes()).toString("utf8")
}

describe("a name", () => {
  it("is resolved once per connection, and the socket goes where the answer said", async () => {
    const { port, arrived } = await servers()
    const send = transport()
    resolver.answers = [[outside], [inside], [inside]]
    expect(await text(await send(`http://rebinding.example:${port}/`))).toBe(outside)
    expect(resolver.asked).toEqual(["rebinding.example"])
    expect(arrived).toEqual([outside])
  })

  it("is judged anew for every connection", async () => {
    const { port, arrived } = await servers()
    resolver.answers = [[outside], [inside]]
    const send = transport()
    expect(await text(await send(`http://rebinding.example:${port}/last`))).toBe(outside)
    const again = transport()
    const error = await again(`http://rebinding.example:${port}/`)
    expect(error).toBeInstanceOf(AddressNotAllowedError)
    expect(error).toMatchObject({ host: "rebinding.example", address: inside })
    expect(arrived).toEqual([outside])
  })

  it.each([[[outside, inside]], [[inside, outside]], [[outside, "::1"]], [[outside, "169.254.169.254"]]])(
    "that resolves to %j is refused for the one internal address",
    async (addresses) => {
      const { port, arrived } = await servers()
      resolver.answers = [addresses]
      expect(await transport()(`http://mixed.example:${port}/`)).toBeInstanceOf(AddressNotAllowedError)
      expect(arrived).toEqual([])
    },
  )

  it("is judged over TLS too, before a handshake", async () => {
    const { port, arrived } = await servers()
    resolver.answers = [[inside]]
    expect(await transport()(`https://inside.example:${port}/`)).toBeInstanceOf(AddressNotAllowedError)
    expect(arrived).toEqual([])
  })

  it("that nobody knows is a network error", async () => {
    expect(await transport()("http://unknown.example/")).toMatchObject({ _tag: "NetworkError", code: "ENOTFOUND" })
  })
})
