/**
 * `pnpm conformance`: runs the scenarios for clients of the MCP project's conformance suite against the program in `program/`, prints a
 * table of them, and exits with 1 when one has failed.
 *
 * `pnpm conformance auth/dpop` runs those whose names begin so. With `KEYWARD_TEST_RESULTS=<directory>`, which `.ci/run` sets, each run of
 * a scenario also counts as a test.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { bundleProgram } from "./bundleProgram.ts"
import { printTable, writeResults } from "./report.ts"
import { type Outcome, runScenario } from "./runScenario.ts"
import { listRuns } from "./ScenarioRun.ts"

const [prefix = ""] = process.argv.slice(2)
const startedAt = Date.now()
const folder = await mkdtemp(join(tmpdir(), "keyward-conformance-"))
try {
  const [program, listed] = await Promise.all([bundleProgram(folder), listRuns()])
  const waiting = listed.filter(({ scenario }) => scenario.startsWith(prefix))
  if (waiting.length === 0) throw new Error(`No scenario begins with ${JSON.stringify(prefix)}.`)
  const outcomes = new Map<number, Outcome>()
  const entries = waiting.entries()
  const work = async (): Promise<void> => {
    for (const [index, run] of entries) outcomes.set(index, await runScenario(run, program, folder))
  }
  // They wait for each other's processes more than they compute.
  await Promise.all(Array.from({ length: availableParallelism() + 2 }, work))
  const ordered = waiting.flatMap((_, index) => outcomes.get(index) ?? [])
  printTable(ordered, Date.now() - startedAt)
  await writeResults(ordered, process.env["KEYWARD_TEST_RESULTS"])
  if (ordered.some(({ isPassed }) => !isPassed)) process.exitCode = 1
} finally {
  await rm(folder, { recursive: true, force: true })
}
