/** A small API for the loopback suite, in a process of its own. Says its port to its parent. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

const body = JSON.stringify({ id: "7", name: "A thing", tags: ["one", "two"], price: 12.5, inStock: true })

const server = createServer((request, response) => {
  response.statusCode = request.headers["x-api-key"] === "bench-key" ? 200 : 401
  response.setHeader("content-type", "application/json")
  response.end(body)
})
server.listen(0, "127.0.0.1", () => {
  process.send?.((server.address() as AddressInfo).port)
})
