/** What a part of the run found: counts for the report, and the promises that do not hold. */
export interface Finding {
  readonly title: string
  /** What was to be shown. */
  readonly promise: string
  /** In the order of the report; promises in bold. */
  readonly facts: ReadonlyArray<readonly [what: string, count: number | string]>
  /** Each grant that was lost, step by step. */
  readonly stories: ReadonlyArray<string>
  /** In words; empty where every promise holds. */
  readonly broken: ReadonlyArray<string>
}

/** A tally as facts, the most frequent first. */
export const counted = (prefix: string, tally: ReadonlyMap<string, number>): Finding["facts"] =>
  [...tally].sort(([, one], [, other]) => other - one).map(([what, count]) => [`${prefix}${what}`, count] as const)
