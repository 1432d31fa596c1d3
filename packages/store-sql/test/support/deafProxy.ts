/**
 * A Postgres proxy as one that pools by transaction looks to a client: it tells another process id than the server's, and passes on no
 * notification. Everything else goes through.
 */
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"

export interface DeafProxy extends AsyncDisposable {
  readonly connectionString: string
  /** How many clients have connected. */
  readonly connections: number
}

/** Starts one in front of a server. */
export const startDeafProxy = async (target: string): Promise<DeafProxy> => {
  const { port, hostname } = new URL(target)
  const sockets = new Set<Socket>()
  let connections = 0
  const proxy = createServer((client) => {
    connections += 1
    const backend = connect(Number(port), hostname)
    for (const socket of [client, backend]) {
      sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => {
        client.destroy()
        backend.destroy()
      })
    }
    client.pipe(backend)
    let rest = Buffer.alloc(0)
    backend.on("data", (data: Buffer) => {
      rest = Buffer.concat([rest, data])
      while (rest.length >= 5 && rest.length > rest.readUInt32BE(1)) {
        const end = 1 + rest.readUInt32BE(1)
        const message = Buffer.from(rest.subarray(0, end))
        rest = rest.subarray(end)
        const kind = String.fromCharCode(message[0] ?? 0)
        if (kind === "K") message.writeUInt32BE(4_000_000 + connections, 5)
        if (kind !== "A") client.write(message)
      }
    })
  }).listen(0, "127.0.0.1")
  await once(proxy, "listening")
  const address = proxy.address()
  if (address === null || typeof address === "string") throw new Error("No port is free.")
  const url = new URL(target)
  url.hostname = "127.0.0.1"
  url.port = String(address.port)
  return {
    connectionString: url.href,
    get connections() {
      return connections
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      proxy.close()
      await once(proxy, "close")
    },
  }
}
