/** What a part of the run found: counts for the report, or a broken promise. */

/** Counts, in the order of the report. */
export interface Finding {
  readonly title: string
  readonly facts: ReadonlyArray<readonly [what: string, count: number | string]>
}

/** Ends the run where a promise does not hold, with what was counted until then. */
export const must = (holds: boolean, what: string, finding: Finding): void => {
  if (holds) return
  const counts = finding.facts.map(([fact, count]) => `  ${fact}: ${count}`).join("\n")
  throw new Error(`${finding.title}: ${what}.\n${counts}`)
}

/** A tally as facts, the most frequent first. */
export const counted = (
  prefix: string,
  tally: ReadonlyMap<string, number>,
): ReadonlyArray<readonly [what: string, count: number]> =>
  [...tally].sort(([, one], [, other]) => other - one).map(([what, count]) => [`${prefix}${what}`, count])
