/** What a Postgres has done since it was asked last: rows written, and the processor time of all its processes. */
import { readdirSync, readFileSync } from "node:fs"
import type { PostgresServer } from "../../packages/store-sql/test/support/postgresServer.ts"

/** See the file's header. */
export interface PostgresLoad {
  readonly rowsWritten: number
  /** Of one processor; `undefined` where the system does not tell. */
  readonly cpuMs: number | undefined
}

/** Begins to count; what is returned says how much it was since. */
export const watchLoad = async (server: PostgresServer): Promise<() => Promise<PostgresLoad>> => {
  const before = await totals(server)
  return async () => {
    const after = await totals(server)
    return {
      rowsWritten: after.rowsWritten - before.rowsWritten,
      cpuMs: after.cpuMs === undefined || before.cpuMs === undefined ? undefined : after.cpuMs - before.cpuMs,
    }
  }
}

const totals = async (server: PostgresServer): Promise<PostgresLoad> => {
  // A process tells its figures a second after the last statement, or ten seconds after when it is idle.
  await new Promise((resolve) => setTimeout(resolve, 11_000))
  const [row] = await server.query(`
    select tup_inserted + tup_updated + tup_deleted as written,
           (select pid from pg_stat_activity where backend_type = 'checkpointer') as pid
    from pg_stat_database where datname = current_database()`)
  return { rowsWritten: Number(row?.["written"]), cpuMs: cpuOf(Number(row?.["pid"])) }
}

/** Time of the server, of which one child is given, and of all its children, those that have ended included. In Linux a tick is 10 ms. */
const cpuOf = (child: number): number | undefined => {
  try {
    // proc(5): after the name in brackets come the state and the parent; times are fields 14 to 17.
    const fieldsOf = (pid: string): ReadonlyArray<number> => {
      const text = readFileSync(`/proc/${pid}/stat`, "utf8")
      return text
        .slice(text.lastIndexOf(")") + 2)
        .split(" ")
        .map(Number)
    }
    const parent = fieldsOf(String(child))[1]
    let ticks = fieldsOf(String(parent))
      .slice(11, 15)
      .reduce((sum, one) => sum + one, 0)
    for (const pid of readdirSync("/proc")) {
      if (!/^\d+$/.test(pid)) continue
      try {
        const fields = fieldsOf(pid)
        if (fields[1] === parent) ticks += (fields[11] ?? 0) + (fields[12] ?? 0)
      } catch {
        // It has ended meanwhile.
      }
    }
    return ticks * 10
  } catch {
    return undefined
  }
}
