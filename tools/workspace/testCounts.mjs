/**
 * Sums the JSON reports that vitest left in a directory and prints `N passed, N failed, N skipped` on one line.
 *
 * What failed, and what passed only when it was repeated, goes to stderr by name, so that it stands at the end of a long log.
 *
 * `.ci/run` sets `KEYWARD_TEST_RESULTS`, for which `vitest.workspace.ts` adds the JSON reporter: one report per run, so
 * a test that runs on three Node versions counts three times. A file that could not be loaded counts as one failure.
 * Plain JavaScript, so that the counts appear even when the installation of Node 24 has failed.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"

const [directory] = process.argv.slice(2)
if (directory === undefined) throw new Error("usage: node testCounts.mjs <directory with JSON reports>")

const files = existsSync(directory) ? readdirSync(directory) : []
const read = (name) => readFileSync(join(directory, name), "utf8")

const reports = files.filter((name) => name.endsWith(".json")).map((name) => ({ name, ...JSON.parse(read(name)) }))

const unloadable = (report) =>
  report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length

const firstLines = (text) => String(text).split("\n").slice(0, 3).join("\n  ")

const total = (count) => reports.reduce((sum, report) => sum + count(report), 0)

const passed = total((report) => report.numPassedTests)
const failed = total((report) => report.numFailedTests + unloadable(report))
const skipped = total((report) => report.numPendingTests + report.numTodoTests)

for (const report of reports) {
  for (const file of report.testResults) {
    const path = relative(process.cwd(), file.name)
    if (file.status === "failed" && file.assertionResults.length === 0) {
      console.error(`${report.name}: ${path}: ${firstLines(file.message)}`)
    }
    for (const { status, fullName, failureMessages } of file.assertionResults) {
      if (status === "failed") console.error(`${report.name}: ${path}: ${fullName}: ${firstLines(failureMessages[0])}`)
    }
  }
}

for (const name of files.filter((file) => file.endsWith(".flaky.txt"))) {
  for (const test of read(name).split("\n").filter(Boolean)) {
    console.error(`${name.replace(".flaky.txt", "")}: passed only when repeated: ${test}`)
  }
}

console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
