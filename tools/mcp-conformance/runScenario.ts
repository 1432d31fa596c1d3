/**
 * Runs one scenario and reads what the suite has to say about it.
 */
import { mkdtemp, readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import type { ScenarioRun } from "./ScenarioRun.ts"
import { runSuite } from "./suite.ts"

/** One thing that the suite looked at. */
interface Check {
  readonly id: string
  readonly status: "SUCCESS" | "FAILURE" | "WARNING" | "INFO" | "SKIPPED"
  readonly description: string
  readonly errorMessage?: string
}

/** What came of a run. */
export interface Outcome extends ScenarioRun {
  /** The suite's own verdict: no failure, no warning, and a program that ended as it should. */
  readonly isPassed: boolean
  readonly checksPassed: number
  readonly durationMs: number
  /** What went wrong, line by line. */
  readonly complaints: ReadonlyArray<string>
}

/** The program's time for one scenario, in milliseconds. */
const patienceMs = 60_000

/** Runs a scenario against a program, with files below a folder. */
export const runScenario = async (run: ScenarioRun, program: string, folder: string): Promise<Outcome> => {
  const { scenario, revision } = run
  const results = await mkdtemp(join(folder, "run-"))
  const startedAt = Date.now()
  const args = ["client", "--command", `${process.execPath} ${program}`, "--scenario", scenario, "-o", results]
  args.push("--timeout", String(patienceMs))
  if (revision !== null) args.push("--spec-version", revision)
  const answer = await runSuite(args, { NODE_COMPILE_CACHE: join(folder, "compiled") })
  const checks = await checksIn(results)
  const passed = checks.filter(({ status }) => status === "SUCCESS")
  const wrong = checks.filter(({ status }) => status === "FAILURE" || status === "WARNING")
  // A scenario that was skipped passes without a check.
  const isPassed = answer.isSuccess && passed.length > 0
  return {
    ...run,
    isPassed,
    checksPassed: passed.length,
    durationMs: Date.now() - startedAt,
    complaints: isPassed
      ? []
      : [
          ...wrong.map(({ id, description, errorMessage }) => `${id}: ${errorMessage ?? description}`),
          ...programErrors(answer.stderr),
        ],
  }
}

const checksIn = async (results: string): Promise<ReadonlyArray<Check>> => {
  const names = await readdir(results, { recursive: true })
  const name = names.find((one) => one.endsWith("checks.json"))
  return name === undefined ? [] : (JSON.parse(await readFile(join(results, name), "utf8")) as ReadonlyArray<Check>)
}

/** What the program died of, as far as a reader needs it. */
const programErrors = (stderr: string): ReadonlyArray<string> =>
  stderr
    .split("\n")
    .filter((line) => /^\w*Error\b|timed out/i.test(line))
    .slice(0, 5)
