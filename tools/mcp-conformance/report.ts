/**
 * What is shown of the outcomes, and left for the count of all tests.
 */
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Outcome } from "./runScenario.ts"
import { leftOut } from "./ScenarioRun.ts"

/** Prints a line for each run, then what went wrong, then the sum. */
export const printTable = (outcomes: ReadonlyArray<Outcome>, durationMs: number): void => {
  const width = Math.max(...outcomes.map(({ scenario }) => scenario.length))
  console.log(`${"scenario".padEnd(width)}  revision    verdict  checks  seconds`)
  for (const { scenario, revision, isPassed, checksPassed, durationMs: duration } of outcomes) {
    const columns = [
      scenario.padEnd(width),
      (revision ?? "extension").padEnd(10),
      (isPassed ? "passed" : "FAILED").padEnd(7),
      String(checksPassed).padStart(6),
      (duration / 1000).toFixed(1).padStart(7),
    ]
    console.log(columns.join("  "))
  }
  for (const outcome of outcomes.filter(({ isPassed }) => !isPassed)) {
    console.log(`\n${titleOf(outcome)}`)
    for (const complaint of outcome.complaints) console.log(`  ${complaint}`)
  }
  console.log("")
  for (const [scenario, reason] of leftOut) console.log(`left out: ${scenario}, because ${reason}`)
  console.log(`\n${sumOf(outcomes)}, ${(durationMs / 1000).toFixed(0)} s`)
}

/** Leaves a report with the members of vitest's that `tools/workspace/testCounts.mjs` reads. */
export const writeResults = async (outcomes: ReadonlyArray<Outcome>, directory: string | undefined): Promise<void> => {
  if (directory === undefined) return
  const failed = outcomes.filter(({ isPassed }) => !isPassed)
  const report = {
    numPassedTests: outcomes.length - failed.length,
    numFailedTests: failed.length,
    numPendingTests: 0,
    numTodoTests: 0,
    testResults: [
      {
        name: import.meta.filename,
        status: failed.length === 0 ? "passed" : "failed",
        message: "",
        assertionResults: outcomes.map((outcome) => ({
          fullName: titleOf(outcome),
          status: outcome.isPassed ? "passed" : "failed",
          failureMessages: [outcome.complaints.join("\n")],
        })),
      },
    ],
  }
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, "conformance.json"), JSON.stringify(report))
}

const titleOf = ({ scenario, revision }: Outcome): string => `${scenario} (${revision ?? "extension"})`

const sumOf = (outcomes: ReadonlyArray<Outcome>): string => {
  const scenarios = new Map<string, boolean>()
  for (const { scenario, isPassed } of outcomes) {
    scenarios.set(scenario, isPassed && scenarios.get(scenario) !== false)
  }
  const groups = [
    ["authorization", [...scenarios].filter(([name]) => name.startsWith("auth/"))],
    ["other", [...scenarios].filter(([name]) => !name.startsWith("auth/"))],
  ] as const
  return groups
    .filter(([, members]) => members.length > 0)
    .map(
      ([name, members]) =>
        `${members.filter(([, isPassed]) => isPassed).length} of ${members.length} ${name} scenarios`,
    )
    .join(", ")
}
