/**
 * A process that calls a tool with an audit trail: `fork("auditProcess.ts", [JSON.stringify(job)])`.
 *
 * Makes `written` calls, has them written, says so, makes `waiting` more, and ends as `end` says: `close` in order, `kill` as a crash.
 */
import { createExecutor, definePlugin } from "@keyward/core"
import { type DatabasePlace, storeAt } from "./databasePlace.ts"

/** What it does, and where. */
export type AuditJob = DatabasePlace & {
  readonly written: number
  readonly waiting: number
  readonly end: "close" | "kill"
}

const job = JSON.parse(process.argv[2] ?? "{}") as AuditJob
const store = storeAt("filename" in job ? { filename: job.filename } : pick(job))

const plugin = definePlugin({
  id: "acme",
  catalog: "integration",
  resolveTools: () => [{ name: "call", annotations: { readOnlyHint: true } }],
  invokeTool: () => "done",
})
const executor = await createExecutor({ store, plugins: [plugin], audit: { flushMs: 60_000 } })
const call = async (times: number): Promise<void> => {
  // In pieces, so that several processes append in turns.
  for (let done = 0; done < times; done += 10) {
    const some = Array.from({ length: Math.min(10, times - done) }, () => executor.execute("tools.api.org.main.call"))
    for (const result of await Promise.all(some)) if (!result.ok) throw new Error(result.error.message)
    if (job.waiting === 0) await executor.audit.list({ limit: 1 })
  }
}
await call(job.written)
await executor.audit.list({ limit: 1 })
process.send?.("written")
await call(job.waiting)
if (job.end === "kill") process.kill(process.pid, "SIGKILL")
await executor.close()
process.disconnect()

function pick({ connectionString, schema }: { readonly connectionString: string; readonly schema: string }) {
  return { connectionString, schema }
}
