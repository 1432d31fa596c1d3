/**
 * `pnpm chaos:oauth`: refreshes under server faults, failing stores, impatient callers, lost answers and killed processes.
 *
 * Takes some four minutes, exits non-zero at the first broken promise, and writes `report.md` beside this file. `CHAOS_SEED` repeats
 * what an earlier run drew. `--quick` takes some seconds and writes nothing.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { join } from "node:path"
import type { Finding } from "./Finding.ts"
import { killedProcesses } from "./killedProcesses.ts"
import { lostAnswers } from "./lostAnswers.ts"
import { Random } from "./Random.ts"
import { strictRotation } from "./strictRotation.ts"

const isQuick = process.argv.includes("--quick")
const seed = Number(process.env["CHAOS_SEED"] ?? Date.now() % 2 ** 31)
console.log(`CHAOS_SEED=${seed}`)

type Part = readonly [name: string, run: (random: Random) => Promise<Finding>]
const parts: ReadonlyArray<Part> = [
  ["strict", (random) => strictRotation(random, { expiries: isQuick ? 60 : 2_000, hangs: !isQuick, executors: 1 })],
  ["lost", (random) => lostAnswers(random, { expiries: isQuick ? 50 : 400, hangs: !isQuick })],
  ["killed", (random) => killedProcesses(random, { kills: isQuick ? 2 : 25, rotation: "strict" })],
  ...(isQuick
    ? []
    : ([
        ["shared", (random) => strictRotation(random, { expiries: 300, hangs: true, executors: 2 })],
        ["killed", (random) => killedProcesses(random, { kills: 25, rotation: "grace" })],
      ] satisfies ReadonlyArray<Part>)),
]

const only = process.argv.slice(2).filter((argument) => !argument.startsWith("--"))
const started = performance.now()
const findings: Array<Finding> = []
for (const [index, [name, run]] of parts.entries()) {
  if (only.length > 0 && !only.includes(name)) continue
  const finding = await run(new Random(seed + index))
  findings.push(finding)
  console.log(`\n${finding.title}`)
  for (const [what, count] of finding.facts) console.log(`  ${what}: ${count}`)
}
const seconds = Math.round((performance.now() - started) / 1000)
console.log(`\n${seconds} s`)

const versionOf = (packageName: string): string => {
  const file = new URL(`node_modules/${packageName}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version
}

const section = ({ title, facts }: Finding): string =>
  `## ${title}\n\n| what | count |\n| --- | --- |\n${facts.map(([what, count]) => `| ${what} | ${count} |`).join("\n")}\n`

if (!isQuick && only.length === 0) {
  const machine = `Node ${process.versions.node}, ${process.platform} ${process.arch}, ${cpus().length} cores`
  const versions = `oidc-provider ${versionOf("oidc-provider")}, effect ${versionOf("effect")}`
  writeFileSync(
    join(import.meta.dirname, "report.md"),
    `# Chaos run of the token refresh

Written by \`pnpm chaos:oauth\` on ${new Date().toISOString().slice(0, 10)} in ${seconds} s (${machine}; ${versions}; seed ${seed}).

Lines in bold are promises: the run fails where one does not hold.

${findings.map(section).join("\n")}`,
  )
}
