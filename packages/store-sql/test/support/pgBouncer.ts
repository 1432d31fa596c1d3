/** A real PgBouncer that pools by transaction, in front of a server: Debian's, where it is installed. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Client } from "pg"

const program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"].find((path) =>
  existsSync(path),
)

/** Whether there is one here. */
export const hasPgBouncer = program !== undefined

export interface PgBouncer extends AsyncDisposable {
  readonly connectionString: string
}

/** Starts one that keeps so many connections to the server. */
export const startPgBouncer = async (target: string, serverConnections: number): Promise<PgBouncer> => {
  if (program === undefined) throw new Error("There is no PgBouncer here.")
  const { hostname, port, username, password, pathname } = new URL(target)
  const folder = mkdtempSync(join(tmpdir(), "keyward-pgbouncer-"))
  // It refuses to run as root.
  chmodSync(folder, 0o755)
  const listenPort = await freePort()
  const config = join(folder, "pgbouncer.ini")
  writeFileSync(
    config,
    `[databases]
${pathname.slice(1)} = host=${hostname} port=${port} user=${username} password=${password}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${serverConnections}
max_client_conn = 500
`,
  )
  const isRoot = process.getuid?.() === 0
  const pooler = spawn(program, [config], { stdio: "ignore", ...(isRoot && { uid: 65_534, gid: 65_534 }) })
  const url = new URL(target)
  url.hostname = "127.0.0.1"
  url.port = String(listenPort)
  await untilItAnswers(url.href)
  return {
    connectionString: url.href,
    [Symbol.asyncDispose]: async () => {
      if (pooler.exitCode === null && pooler.signalCode === null) {
        const ended = once(pooler, "exit")
        pooler.kill("SIGKILL")
        await ended
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const freePort = async (): Promise<number> => {
  const probe = createServer().listen(0, "127.0.0.1")
  await once(probe, "listening")
  const address = probe.address()
  probe.close()
  await once(probe, "close")
  if (address === null || typeof address === "string") throw new Error("No port is free.")
  return address.port
}

const untilItAnswers = async (connectionString: string): Promise<void> => {
  for (let attempt = 0; ; attempt++) {
    const client = new Client({ connectionString })
    try {
      await client.connect()
      await client.query("select 1")
      await client.end()
      return
    } catch (error) {
      if (attempt === 200) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
