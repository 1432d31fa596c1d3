/**
 * Sums the JSON reports that vitest left in a directory and prints `N passed, N failed, N skipped` on one line.
 *
 * `.ci/run` sets `KEYWARD_TEST_RESULTS`, for which `vitest.workspace.ts` adds the JSON reporter: one report per run, so
 * a test that runs on three Node versions counts three times. A file that could not be loaded counts as one failure.
 * Plain JavaScript, so that the counts appear even when the installation of Node 24 has failed.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

const [directory] = process.argv.slice(2)
if (directory === undefined) throw new Error("usage: node testCounts.mjs <directory with JSON reports>")

const reports = existsSync(directory)
  ? readdirSync(directory)
      .filter((name) => name.endsWith(".json"))
      .map((name) => JSON.parse(readFileSync(join(directory, name), "utf8")))
  : []

const unloadable = (report) =>
  report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length

const total = (count) => reports.reduce((sum, report) => sum + count(report), 0)

const passed = total((report) => report.numPassedTests)
const failed = total((report) => report.numFailedTests + unloadable(report))
const skipped = total((report) => report.numPendingTests + report.numTodoTests)

console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
