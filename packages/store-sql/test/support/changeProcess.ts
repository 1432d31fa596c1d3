/**
 * A process that changes one thing after another with an audit trail, and dies in the middle: `fork("changeProcess.ts", [JSON.stringify(job)])`.
 *
 * It kills or stops itself at a statement of a transaction, or goes on until somebody else kills it, telling of each change that it
 * begins.
 */
import { createExecutor, definePlugin, type Executor } from "@keyward/core"
import { Client } from "pg"
import { type DatabasePlace, storeAt } from "./databasePlace.ts"

/** Where, and when it dies. */
export interface ChangeJob {
  readonly place: DatabasePlace
  /** Is in the name of everything that it makes. */
  readonly name: string
  /** The statement at which it dies, counted from 1 over the transactions of all changes; absent: it changes things for ever. */
  readonly dyingAt?: number | undefined
  /** Postgres only: it stands still there instead, once that statement is done. */
  readonly isStopping?: boolean | undefined
}

const plugin = definePlugin({ id: "acme", catalog: "integration", resolveTools: () => [], invokeTool: () => null })

/** A row by compare-and-set, and one over whatever is there. */
const change = async (executor: Executor, name: string): Promise<void> => {
  const connection = { owner: "org", integration: "api", name } as const
  await executor.connections.create({ ...connection, template: "none" })
  await executor.agents.grant("bot", { connection, access: ["read"] })
}

const changeMore = async (executor: Executor, name: string): Promise<void> => {
  const connection = { owner: "org", integration: "api", name } as const
  await change(executor, name)
  await executor.connections.disable(connection)
  await executor.policies.create({ owner: "org", pattern: `tools.api.org.${name}.*`, action: "block" })
  await executor.connections.remove(connection)
}

const { place, name, dyingAt, isStopping = false } = JSON.parse(process.argv[2] ?? "{}") as ChangeJob
const executor = await createExecutor({ store: storeAt(place), plugins: [plugin], audit: true })
// Opened and migrated, so that what follows are the statements of the changes.
await executor.audit.list({ limit: 1 })
if (dyingAt !== undefined) {
  if ("filename" in place) dieInSqlite(dyingAt)
  else dieInPostgres(dyingAt)
  const changed = change(executor, name)
  await (isStopping ? changed.catch((error: unknown) => process.send?.(String(error))) : changed)
  await executor.close()
  process.disconnect()
} else {
  const worker = async (own: number): Promise<void> => {
    for (let round = 0; ; round += 1) {
      process.send?.("begins")
      await changeMore(executor, `${name}w${own}r${round}`)
    }
  }
  await Promise.all([worker(1), worker(2), worker(3)])
}

/** Statements run in this process: one that is about to run has not, and what came before is done. */
function dieInSqlite(at: number): void {
  const { StatementSync } = process.getBuiltinModule("node:sqlite")
  let count = 0
  let isWithin = false
  for (const method of ["run", "all"] as const) {
    const original = StatementSync.prototype[method] as (this: unknown, ...input: Array<unknown>) => unknown
    Reflect.set(StatementSync.prototype, method, function (this: { sourceSQL: string }, ...input: Array<unknown>) {
      isWithin ||= this.sourceSQL.startsWith("begin")
      if (isWithin) count += 1
      if (count === at) process.kill(process.pid, "SIGKILL")
      if (this.sourceSQL === "commit") isWithin = false
      return original.apply(this, input)
    })
  }
}

/** The statement is on its way when the process dies, and the server does what it says. */
function dieInPostgres(at: number): void {
  const original = Reflect.get(Client.prototype, "query") as (this: unknown, ...input: Array<unknown>) => unknown
  const within = new Set<unknown>()
  let count = 0
  Reflect.set(Client.prototype, "query", function (this: unknown, ...input: Array<unknown>) {
    const text = String(typeof input[0] === "string" ? input[0] : (input[0] as { text?: string }).text)
    if (text.startsWith("begin") || text.startsWith("start transaction")) within.add(this)
    if (within.has(this)) count += 1
    if (count === at && !isStopping) setImmediate(() => process.kill(process.pid, "SIGKILL"))
    if (text === "commit") within.delete(this)
    const answer = original.apply(this, input)
    return count === at && isStopping ? stopAfter(answer as Promise<unknown>) : answer
  })
}

async function stopAfter<A>(answer: Promise<A>): Promise<A> {
  await answer
  return new Promise((resolve) => {
    process.send?.("stops", () => {
      process.kill(process.pid, "SIGSTOP")
      resolve(answer)
    })
  })
}
