/**
 * `pnpm storm`: eight processes share a store and a provider against a strictly rotating authorization server with 2-second tokens.
 *
 * Steady calls by default; `--kill`, `--stop` and `--db` add trouble, `--all` is everything, about 15 minutes, and writes
 * `REPORT.md` beside this file. `--sqlite` or `--postgres` for only one of them, `--strict` or `--grace` likewise, `--seconds N` instead
 * of 60, `--runs N` for each part as often. `STORM_SEED` repeats what an earlier run drew. Exits non-zero where a promise does not hold.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { startPostgres } from "../../packages/store-sql/test/support/postgresServer.ts"
import { bundleWorker } from "./bundleWorker.ts"
import type { Finding } from "./Finding.ts"
import { Random } from "./Random.ts"
import { reportOf } from "./report.ts"
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
    runs: { type: "string", default: "1" },
  },
})
const seconds = Number(asked.seconds)
const runs = Number(asked.runs)
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
  const parts = everything.filter(isAsked).flatMap((part) => Array.from({ length: runs }, () => part))
  for (const [index, part] of parts.entries()) {
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

if (asked.all) {
  const command = `pnpm storm --all --seconds ${seconds}${runs === 1 ? "" : ` --runs ${runs}`}`
  writeFileSync(join(import.meta.dirname, "REPORT.md"), reportOf({ command, seed, tookSeconds: took, findings }))
}
