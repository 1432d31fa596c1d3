/**
 * Which scenarios are run, and at which revisions of the specification.
 */
import { runSuite } from "./suite.ts"

/** One scenario at one revision. */
export interface ScenarioRun {
  readonly scenario: string
  /** `null`: an extension, which belongs to no revision. */
  readonly revision: string | null
}

/** Scenarios that are not run, and why. */
export const leftOut: ReadonlyMap<string, string> = new Map([
  ["sse-retry", "it measures time, which other work on the same machine changes"],
  [
    "sep-2322-client-request-state",
    "one of its tools leaves out `resultType`, which the official client does not forgive",
  ],
  [
    "json-schema-ref-no-deref",
    "its tool's schema cannot be compiled without asking elsewhere, and Keyward refuses such a tool",
  ],
  ["json-schema-2020-12-preservation", "it wants a schema echoed, which no host does"],
])

/** Every scenario for clients at each revision that it is for, in the suite's order. */
export const listRuns = async (): Promise<ReadonlyArray<ScenarioRun>> => {
  const { stdout } = await runSuite(["list", "--client"])
  const runs = stdout.split("\n").flatMap((line) => {
    const [, scenario = "", revisions = ""] = /^ {2}- (\S+) \[(.+)\]$/.exec(line) ?? []
    if (scenario === "" || leftOut.has(scenario)) return []
    return revisionsOf(revisions).map((revision) => ({ scenario, revision }))
  })
  if (runs.length === 0) throw new Error("The suite lists no scenarios.")
  return runs
}

/** The two that are in use, and the first one for what came before both. */
const revisionsOf = (text: string): ReadonlyArray<string | null> => {
  if (text === "extension") return [null]
  const given = text.split(",")
  const current = given.filter((revision) => revision >= "2025-11-25")
  return current.length > 0 ? current : given.slice(-1)
}
