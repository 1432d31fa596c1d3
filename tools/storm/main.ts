/**
 * `pnpm storm`: eight processes share a store and a provider against a strictly rotating authorization server with 2-second tokens.
 *
 * Steady calls by default; `--kill`, `--stop` and `--db` add trouble, `--all` is everything and writes `report.md` beside this file.
 * `--sqlite` or `--postgres` for only one of them, `--strict` or `--grace` likewise, `--seconds N` instead of 60. `STORM_SEED` repeats
 * what an earlier run drew. Exits non-zero where a promise does not hold.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { startPostgres } from "../../packages/store-sql/test/support/postgresServer.ts"
import { bundleWorker } from "./bundleWorker.ts"
import type { Finding } from "./Finding.ts"
import { Random } from "./Random.ts"
import { storm, type StormOptions } from "./storm.ts"
import type { TroubleKind } from "./troubles.ts"

const flag = { type: "boolean", default: false } as const
const { values: asked } = parseArgs({
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
  options: {
    all: flag,
    kill: flag,
    stop: flag,
    db: flag,
    sqlite: flag,
    postgres: flag,
    strict: flag,
    grace: flag,
    seconds: { type: "string", default: "60" },
  },
})
const seconds = Number(asked.seconds)
const seed = Number(process.env["STORM_SEED"] ?? Date.now() % 2 ** 31)
console.log(`STORM_SEED=${seed}`)

type Part = readonly [TroubleKind, StormOptions["rotation"], database: "sqlite" | "postgres"]
const everything: ReadonlyArray<Part> = [
  ["none", "strict", "sqlite"],
  ["none", "strict", "postgres"],
  ["kill", "grace", "sqlite"],
  ["kill", "grace", "postgres"],
  ["kill", "strict", "sqlite"],
  ["kill", "strict", "postgres"],
  ["stop", "grace", "sqlite"],
  ["stop", "grace", "postgres"],
  ["stop", "strict", "sqlite"],
  ["stop", "strict", "postgres"],
  ["restart", "strict", "postgres"],
]
const isAsked = ([trouble, rotation, database]: Part): boolean => {
  const isTrouble = {
    none: !(asked.kill || asked.stop || asked.db),
    kill: asked.kill,
    stop: asked.stop,
    restart: asked.db,
  }
  const isNarrower = (one: boolean, other: boolean): boolean => one || !other
  return (
    (asked.all || isTrouble[trouble]) &&
    isNarrower(database === "sqlite" ? asked.sqlite : asked.postgres, asked.sqlite || asked.postgres) &&
    isNarrower(rotation === "strict" ? asked.strict : asked.grace, asked.strict || asked.grace)
  )
}

const folder = mkdtempSync(join(tmpdir(), "keyward-storm-code-"))
const code = await bundleWorker(folder)
await using postgres = await startPostgres()
const started = performance.now()
const findings: Array<Finding> = []
try {
  for (const [index, part] of everything.entries()) {
    if (!isAsked(part)) continue
    const [trouble, rotation, database] = part
    if (database === "postgres" && postgres === undefined) continue
    const finding = await storm(new Random(seed + index), {
      postgres: database === "postgres" ? postgres : undefined,
      rotation,
      trouble,
      seconds,
      code,
    })
    findings.push(finding)
    console.log(`\n${finding.title}`)
    for (const [what, count] of finding.facts) console.log(`  ${what}: ${count}`)
    for (const story of finding.stories) console.log(`  LOST ${story}`)
    for (const what of finding.broken) console.log(`  BROKEN: ${what}`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
const took = Math.round((performance.now() - started) / 1000)
console.log(`\n${took} s`)
if (findings.some(({ broken }) => broken.length > 0)) process.exitCode = 1

const versionOf = (packageName: string): string => {
  const file = new URL(`node_modules/${packageName}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version
}

const section = ({ title, facts, broken }: Finding): string =>
  [
    `## ${title}`,
    `| what | count |\n| --- | --- |\n${facts.map(([what, count]) => `| ${what} | ${count} |`).join("\n")}`,
    ...broken.map((what) => `Does not hold: ${what}.`),
  ].join("\n\n")

if (asked.all) {
  const machine = `Node ${process.versions.node}, ${process.platform} ${process.arch}, ${cpus().length} cores`
  const versions = `oidc-provider ${versionOf("oidc-provider")}, effect ${versionOf("effect")}`
  writeFileSync(
    join(import.meta.dirname, "report.md"),
    `# Storm: many processes, one refresh

Written by \`pnpm storm --all --seconds ${seconds}\` on ${new Date().toISOString().slice(0, 10)} in ${took} s (${machine}; ${versions}; seed ${seed}).

Lines in bold are promises: the run fails where one does not hold.

${findings.map(section).join("\n\n")}
`,
  )
}
