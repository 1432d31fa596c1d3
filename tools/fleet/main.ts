/**
 * `pnpm fleet`: fills a SQLite and a Postgres with up to a million connections, has four processes keep accounts among them alive, and
 * writes REPORT.md with the machine it ran on. What cannot be run here is reckoned in docs/guides/run-many-processes.md.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { cpus, tmpdir, totalmem } from "node:os"
import { join } from "node:path"
import { postgresStore, sqliteStore, type SqlStore } from "@keyward/store-sql"
import { type PostgresServer, startPostgres } from "../../packages/store-sql/test/support/postgresServer.ts"
import { connect, openExecutor, type Place } from "./Accounts.ts"
import type { Figure } from "./Figure.ts"
import { keepAliveFigures } from "./keepAliveFigures.ts"
import { notifyLoad } from "./notifyLoad.ts"
import { storeFigures } from "./storeFigures.ts"

const accounts = 1_000

interface Section {
  readonly title: string
  readonly figures: ReadonlyArray<Figure>
}

const measured = async (title: string, store: SqlStore, place: Place, server?: PostgresServer): Promise<Section> => {
  await using executor = await openExecutor(store)
  process.stderr.write(`${title}: connecting ${accounts} accounts …\n`)
  await connect(executor, accounts)
  process.stderr.write(`${title}: filling and reading …\n`)
  const ofStore = await storeFigures(store, place)
  process.stderr.write(`${title}: keeping alive …\n`)
  return { title, figures: [...ofStore, ...(await keepAliveFigures(store, place, accounts, server))] }
}

const overSqlite = async (): Promise<Section> => {
  const folder = mkdtempSync(join(tmpdir(), "keyward-fleet-"))
  try {
    const filename = join(folder, "keyward.db")
    return await measured("SQLite", sqliteStore({ filename }), { filename })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const overPostgres = async (): Promise<ReadonlyArray<Section>> => {
  await using server = await startPostgres()
  if (server === undefined) return []
  const { connectionString } = server
  const section = await measured("Postgres", postgresStore({ connectionString }), { connectionString }, server)
  process.stderr.write("Postgres: announcing …\n")
  return [section, { title: "What announcing costs (Postgres)", figures: await notifyLoad(server, 1_000_000) }]
}

const machine = (): string => {
  const [cpu] = cpus()
  const memory = Math.round(totalmem() / 1024 ** 3)
  return `${cpu?.model ?? "unknown CPU"}, ${cpus().length} cores, ${memory} GiB, Node ${process.versions.node}, ${process.platform}`
}

const table = ({ title, figures }: Section): string =>
  [
    `## ${title}`,
    "",
    "| what | measured |",
    "| --- | --- |",
    ...figures.map(({ name, value }) => `| ${name} | ${value} |`),
  ].join("\n")

const sections = [await overSqlite(), ...(await overPostgres())]
const report = `# Fleet: a million connections with one-hour tokens

Written by \`pnpm fleet\` on ${new Date().toISOString().slice(0, 10)}: ${machine()}.

One run. The processes, the database and whatever else ran shared these cores, so rates say what this machine did beside everything
else; counts and ratios say more. The token server answers at once, inside the process. The Postgres is the one of the tests, on
loopback and without waiting for its disk (\`fsync\` off). Rows are copies of one granted row, in the real tables with all indexes
and triggers. What follows from this for a million connections is in docs/guides/run-many-processes.md.

${sections.map(table).join("\n\n")}
`
process.stdout.write(report)
writeFileSync(new URL("REPORT.md", import.meta.url), report)
process.exit(0)
