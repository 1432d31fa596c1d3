/**
 * A vitest reporter that keeps the names of tests which failed and passed when they were repeated.
 *
 * CI repeats a failed test once (`vitest.workspace.ts`); what needed that is written to a file per Node version, which
 * `testCounts.mjs` names at the end of the log, so that a test which cannot be relied upon is seen and mended.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import type { Reporter, TestCase } from "vitest/node"

/** Makes the reporter; names go to `<directory>/node-<version>.flaky.txt`. */
export const flakyTests = (directory: string): Reporter => {
  const names: Array<string> = []
  return {
    onTestCaseResult: (test: TestCase) => {
      if (test.diagnostic()?.flaky === true) {
        names.push(`${relative(process.cwd(), test.module.moduleId)}: ${test.fullName}`)
      }
    },
    onTestRunEnd: () => {
      mkdirSync(directory, { recursive: true })
      writeFileSync(
        join(directory, `node-${process.versions.node}.flaky.txt`),
        names.map((name) => `${name}\n`).join(""),
      )
    },
  }
}
