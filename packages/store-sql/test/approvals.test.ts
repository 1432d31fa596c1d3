/** An approval outlives the process that asked for it, and of all processes one call gets it; rules hold for all at once. */
import { existsSync, readFileSync } from "node:fs"
import { afterAll, describe, expect, it, onTestFinished } from "vitest"
import { type ApprovalPlace, approvingExecutor } from "./support/approvals.ts"
import { makeFolder } from "./support/folder.ts"
import { startPostgres } from "./support/postgresServer.ts"
import { startApprovalProcess } from "./support/startApprovalProcess.ts"

const server = await startPostgres()
const connectionString = server?.connectionString ?? ""

afterAll(() => server?.[Symbol.asyncDispose]())

let schemas = 0

const place = (database: "SQLite" | "Postgres"): ApprovalPlace => {
  const folder = makeFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const log = folder.file("calls.log")
  return database === "SQLite"
    ? { filename: folder.file("keyward.db"), log }
    : { connectionString, schema: `approvals_${++schemas}`, log }
}

const linesOf = ({ log }: ApprovalPlace): ReadonlyArray<string> =>
  existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : []

const setUp = async (where: ApprovalPlace) => {
  const executor = await approvingExecutor(where)
  onTestFinished(() => executor.close())
  await executor.acme.add()
  await executor.connections.create({ owner: "org", integration: "github", name: "main", template: "none" })
  return executor
}

for (const database of ["SQLite", "Postgres"] as const) {
  describe(`approvals in ${database}`, { skip: database === "Postgres" && server === undefined }, () => {
    it("outlive the process that asked and the one that answered", async () => {
      const where = place(database)
      const executor = await setUp(where)
      const asking = await startApprovalProcess(where)
      expect(await asking.call({ repo: "site" })).toEqual(["approval_required"])
      await asking.kill()
      const [pending] = await executor.approvals.list()
      expect(pending).toMatchObject({ status: "pending", subject: "alice" })
      await executor.approvals.answer(pending?.id ?? "", { action: "accept" })
      const resumed = await startApprovalProcess(where)
      expect(await resumed.call({ repo: "other" })).toEqual(["approval_required"])
      expect(await resumed.call({ repo: "site" })).toEqual(["ok"])
      expect(await resumed.call({ repo: "site" })).toEqual(["approval_required"])
      expect(linesOf(where)).toEqual(['{"repo":"site"}'])
    }, 60_000)

    it("are taken by one call, however many processes want them at the same time", async () => {
      const where = place(database)
      const executor = await setUp(where)
      const processes = await Promise.all(Array.from({ length: 3 }, () => startApprovalProcess(where)))
      for (let round = 0; round < 5; round += 1) {
        const args = { round }
        expect(await processes[0]?.call(args)).toEqual(["approval_required"])
        const [pending] = await executor.approvals.list({ status: "pending" })
        await executor.approvals.answer(pending?.id ?? "", { action: "accept" })
        const results = (await Promise.all(processes.map((other) => other.call(args, 6)))).flat()
        expect(results.filter((result) => result === "ok")).toEqual(["ok"])
        for (const { id } of await executor.approvals.list()) await executor.approvals.revoke(id)
      }
      expect(linesOf(where)).toHaveLength(5)
    }, 60_000)

    it("are answered once, whoever answers", async () => {
      const where = place(database)
      const executor = await setUp(where)
      const other = await approvingExecutor(where)
      onTestFinished(() => other.close())
      const asking = await startApprovalProcess(where)
      await asking.call({})
      const [pending] = await other.approvals.list()
      const answers = await Promise.allSettled(
        [executor, other].map((one, index) =>
          one.approvals.answer(pending?.id ?? "", { action: index === 0 ? "accept" : "decline" }),
        ),
      )
      expect(answers.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"])
    }, 60_000)

    it("are not needed, or of no use, from the next call on when a rule says so in another process", async () => {
      const where = place(database)
      const executor = await setUp(where)
      const other = await startApprovalProcess(where)
      expect(await other.call({})).toEqual(["approval_required"])
      const rule = await executor.policies.create({ owner: "org", pattern: "tools.github.*", action: "approve" })
      await expect.poll(() => other.call({}), { timeout: 10_000 }).toEqual(["ok"])
      await executor.policies.update(rule.id, { action: "block" })
      await expect.poll(async () => (await other.call({}))[0], { timeout: 10_000 }).toContain("is blocked")
      await executor.policies.remove(rule.id)
      await expect.poll(() => other.call({}), { timeout: 10_000 }).toEqual(["approval_required"])
    }, 60_000)
  })
}
