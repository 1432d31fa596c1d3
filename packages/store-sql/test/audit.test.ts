/** Audit trails in real databases: what somebody with SQL does to them is found, and processes that share or die leave a whole chain. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { createExecutor, definePlugin, type Executor } from "@keyward/core"
import { describe, expect, it, onTestFinished } from "vitest"
import type { AuditJob } from "./support/auditProcess.ts"
import { type Database, databases } from "./support/databases.ts"

const plugin = definePlugin({
  id: "acme",
  catalog: "integration",
  extension: (ctx) => ({ add: () => ctx.integrations.register({ slug: "api", authTemplates: [] }) }),
  resolveTools: () => [{ name: "call", annotations: { readOnlyHint: true } }],
  invokeTool: () => "done",
})

/** An executor whose trail has two changes, and as many calls as are asked for. */
const setStage = async (database: Database, calls: number, key?: Uint8Array) => {
  const executor = await createExecutor({ store: database.open(), plugins: [plugin] as const, audit: { key } })
  onTestFinished(() => executor.close())
  await executor.acme.add()
  await executor.connections.create({ owner: "org", integration: "api", name: "main", template: "none" })
  for (let call = 0; call < calls; call += 1) await executor.execute("tools.api.org.main.call")
  await executor.audit.list()
  return executor
}

const faultOf = async (executor: Pick<Executor, "audit">) => (await executor.audit.verify()).fault

const startProcess = (job: AuditJob) => {
  const child = fork(join(import.meta.dirname, "support/auditProcess.ts"), [JSON.stringify(job)], {
    execArgv: ["--conditions=@keyward/source"],
    env: { ...process.env, NODE_OPTIONS: "" },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  })
  onTestFinished(() => void child.kill("SIGKILL"))
  return { ended: once(child, "exit"), written: once(child, "message") }
}

describe.each(databases())("an audit trail in %s", (_, make) => {
  it.each([
    ["an entry is removed", "delete from keyward_audit where sequence = 4", { kind: "missing", sequence: 4 }],
    ["the last one is removed", "delete from keyward_audit where sequence = 8", { kind: "truncated", sequence: 8 }],
    [
      "an entry is altered",
      `update keyward_audit set document = replace(document, '"ok"', '"no"') where sequence = 5`,
      { kind: "altered", sequence: 5 },
    ],
    [
      "an entry is hidden from a list",
      "update keyward_audit set connection = 'tools.api.org.other' where sequence = 5",
      { kind: "altered", sequence: 5 },
    ],
    [
      "an entry is made unreadable",
      "update keyward_audit set document = '{' where sequence = 5",
      { kind: "altered", sequence: 5 },
    ],
    [
      "two are swapped",
      "update keyward_audit set sequence = -4 where sequence = 4; update keyward_audit set sequence = 4 where sequence = 5; update keyward_audit set sequence = 5 where sequence = -4",
      { kind: "altered", sequence: 4 },
    ],
    ["the head is removed", "delete from keyward_audit_heads", { kind: "head_missing", sequence: 0 }],
    [
      "the head is moved back with the entries",
      `delete from keyward_audit where sequence = 8; update keyward_audit_heads set document = replace(document, '"sequence":8', '"sequence":7')`,
      { kind: "head_altered", sequence: 7 },
    ],
    [
      "the head is made unreadable",
      "update keyward_audit_heads set document = 'x'",
      { kind: "head_altered", sequence: 0 },
    ],
  ])("shows when %s", async (_what, sql, fault) => {
    const database = make()
    if (database === undefined) return
    const executor = await setStage(database, 6, Buffer.alloc(32, 7))
    expect(await faultOf(executor)).toBeNull()
    await database.sql(sql)
    expect(await faultOf(executor)).toEqual(fault)
  })

  it("is one chain without gaps that processes append to at the same time", async () => {
    const database = make()
    if (database === undefined) return
    const executor = await setStage(database, 0)
    const job = { ...database.place, written: 60, waiting: 0, end: "close" } as const
    const others = [startProcess(job), startProcess(job), startProcess(job)]
    for (const { ended } of others) expect(await ended).toEqual([0, null])
    expect(await executor.audit.verify()).toMatchObject({ isIntact: true, checked: 2 + 3 * 60 })
  }, 60_000)

  it("misses no more than what waited when its process was killed, and goes on", async () => {
    const database = make()
    if (database === undefined) return
    const executor = await setStage(database, 0)
    const killed = startProcess({ ...database.place, written: 20, waiting: 7, end: "kill" })
    await killed.written
    expect(await killed.ended).toEqual([null, "SIGKILL"])
    expect(await executor.audit.verify()).toMatchObject({ isIntact: true, checked: 2 + 20 })
    await executor.execute("tools.api.org.main.call")
    await executor.audit.list()
    expect(await executor.audit.verify()).toMatchObject({ isIntact: true, checked: 2 + 20 + 1 })
  }, 60_000)

  it("misses nothing when its process was closed", async () => {
    const database = make()
    if (database === undefined) return
    const executor = await setStage(database, 0)
    const closed = startProcess({ ...database.place, written: 20, waiting: 7, end: "close" })
    expect(await closed.ended).toEqual([0, null])
    expect(await executor.audit.verify()).toMatchObject({ isIntact: true, checked: 2 + 20 + 7 })
  }, 60_000)
})
