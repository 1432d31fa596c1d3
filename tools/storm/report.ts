/** The report of a run as Markdown: a verdict per promise, then what was counted, and each loss step by step. */
import { readFileSync } from "node:fs"
import { cpus } from "node:os"
import type { Finding } from "./Finding.ts"

/** What a run was. */
export interface Run {
  readonly command: string
  readonly seed: number
  readonly tookSeconds: number
  readonly findings: ReadonlyArray<Finding>
}

/** Renders it. */
export const reportOf = ({ command, seed, tookSeconds, findings }: Run): string => {
  const machine = `Node ${process.versions.node}, ${process.platform} ${process.arch}, ${cpus().length} cores`
  const versions = `oidc-provider ${versionOf("oidc-provider")}, effect ${versionOf("effect")}`
  return `# Storm: many processes, one refresh

Written by \`${command}\` on ${new Date().toISOString().slice(0, 10)} in ${tookSeconds} s (${machine}; ${versions}; seed ${seed}).

${verdicts(findings)}

Below, lines in bold are promises: a run fails where one does not hold.

${findings.map(section).join("\n\n")}
`
}

/** A line per promise and place, over all runs of it. */
const verdicts = (findings: ReadonlyArray<Finding>): string => {
  const byPart = Map.groupBy(findings, ({ title, promise }) => `| ${promise} | ${title}`)
  const lines = [...byPart].map(([part, runs]) => {
    const sound = runs.filter(({ broken }) => broken.length === 0).length
    const lost = runs.reduce((sum, { stories }) => sum + stories.length, 0)
    return `${part} | ${sound === runs.length ? "holds" : "DOES NOT HOLD"} in ${sound} of ${runs.length} | ${lost} |`
  })
  return ["| promise | part | verdict, in runs | grants lost |", "| --- | --- | --- | --- |", ...lines].join("\n")
}

const section = ({ title, facts, stories, broken }: Finding): string =>
  [
    `## ${title}`,
    `| what | count |\n| --- | --- |\n${facts.map(([what, count]) => `| ${what} | ${count} |`).join("\n")}`,
    ...broken.map((what) => `Does not hold: ${what}.`),
    ...stories.map((story) => `Lost: ${story.replace("\n", "\n\n")}`),
  ].join("\n\n")

const versionOf = (packageName: string): string => {
  const file = new URL(`node_modules/${packageName}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version
}
