/**
 * A way to a Postgres whose network goes dark: connections that are there pass on nothing any more, and nobody tells either end. New ones
 * work.
 */
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"

export interface DarkProxy extends AsyncDisposable {
  readonly connectionString: string
  /** From now on nothing comes through on any connection that is there. */
  goDark(): void
}

/** Starts one in front of a server. */
export const startDarkProxy = async (target: string): Promise<DarkProxy> => {
  const { port, hostname } = new URL(target)
  const sockets = new Set<Socket>()
  let dark = new Set<Socket>()
  const proxy = createServer((client) => {
    const backend = connect(Number(port), hostname)
    for (const [from, to] of [
      [client, backend],
      [backend, client],
    ] as const) {
      sockets.add(from)
      from.on("error", () => {})
      from.on("data", (data: Buffer) => {
        if (!dark.has(from)) to.write(data)
      })
      from.on("close", () => {
        if (!dark.has(from)) to.destroy()
      })
    }
  }).listen(0, "127.0.0.1")
  await once(proxy, "listening")
  const address = proxy.address()
  if (address === null || typeof address === "string") throw new Error("No port is free.")
  const url = new URL(target)
  url.hostname = "127.0.0.1"
  url.port = String(address.port)
  return {
    connectionString: url.href,
    goDark: () => {
      dark = new Set(sockets)
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      proxy.close()
      await once(proxy, "close")
    },
  }
}
