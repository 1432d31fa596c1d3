/**
 * `pnpm bench`: runs every suite in a process of its own and writes REPORT.md with the machine it ran on.
 *
 * `pnpm bench execute scale` runs only those and prints without writing.
 */
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { cpus, totalmem } from "node:os"
import { fileURLToPath } from "node:url"
import type { Row } from "./measure.ts"

/** Suites by name, each with the function that runs it; loaded in the suite's own process. */
const suites: Readonly<Record<string, () => Promise<ReadonlyArray<Row>>>> = {
  execute: async () => (await import("./execute.ts")).execute(),
  audit: async () => (await import("./audit.ts")).audit(),
  fetch: async () => (await import("./connectionsFetch.ts")).connectionsFetch(),
  loopback: async () => (await import("./loopback.ts")).loopback(),
  policy: async () => (await import("./policy.ts")).policy(),
  rights: async () => (await import("./rights.ts")).rights(),
  scale: async () => (await import("./scale.ts")).scale(),
  selection: async () => (await import("./selection.ts")).selection(),
  search: async () => (await import("./search.ts")).search(),
  sqlite: async () => (await import("./sqlStores.ts")).sqlite(),
  postgres: async () => (await import("./sqlStores.ts")).postgres(),
  mcp: async () => (await import("./mcp.ts")).mcp(),
  graphql: async () => (await import("./graphql.ts")).graphql(),
  import: async () => (await import("./importCost.ts")).importCost(),
  oauth: async () => (await import("./oauth.ts")).oauth(),
  "encrypted-file": async () => (await import("./encryptedFile.ts")).encryptedFile(),
  "1password": async () => (await import("./onePassword.ts")).onePassword(),
}

const program = fileURLToPath(import.meta.url)

const runSuite = (name: string): ReadonlyArray<Row> => {
  // A large young generation keeps the collector out of the allocation figure; rates are measured with it as well.
  const flags = ["--expose-gc", "--disable-warning=ExperimentalWarning", "--conditions=@keyward/source"]
  if (name === "execute") flags.push("--max-semi-space-size=128")
  const output = execFileSync(process.execPath, [...flags, program, "--suite", name], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 16 * 1024 * 1024,
  })
  return JSON.parse(output.slice(output.lastIndexOf("\n[") + 1)) as ReadonlyArray<Row>
}

const machine = (): string => {
  const [cpu] = cpus()
  const memory = Math.round(totalmem() / 1024 ** 3)
  return `${cpu?.model ?? "unknown CPU"}, ${cpus().length} cores, ${memory} GiB, Node ${process.versions.node}, ${process.platform}`
}

const table = (rows: ReadonlyArray<Row>): string => {
  const mark = ({ isMet }: Row): string => (isMet === undefined ? "" : isMet ? "met" : "**missed**")
  const lines = rows.map((row) => `| ${row.suite} | ${row.name} | ${row.value} | ${row.target ?? ""} | ${mark(row)} |`)
  return ["| suite | what | measured | target | |", "| --- | --- | --- | --- | --- |", ...lines].join("\n")
}

const report = (rows: ReadonlyArray<Row>): string => `# Benchmarks

Written by \`pnpm bench\` on ${new Date().toISOString().slice(0, 10)}: ${machine()}.

Figures of one run on one machine. Ratios compare two things measured alternately in that run; rates alone say little
about another machine. Nothing here is asserted by a test.

${table(rows)}
`

const [flag, only] = process.argv.slice(2)
if (flag === "--suite") {
  const suite = suites[only ?? ""]
  if (suite === undefined)
    throw new Error(`There is no suite ${only ?? ""}; there are ${Object.keys(suites).join(", ")}.`)
  process.stdout.write(`\n${JSON.stringify(await suite())}`)
  process.exit(0)
}

const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(suites)
const rows = chosen.flatMap((name) => {
  process.stderr.write(`${name} …\n`)
  return runSuite(name)
})
process.stdout.write(`${table(rows)}\n`)
if (process.argv.length === 2) writeFileSync(new URL("REPORT.md", import.meta.url), report(rows))
