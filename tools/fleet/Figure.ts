/** One line of the report: what was measured, and the figure in words. */
export interface Figure {
  readonly name: string
  readonly value: string
}

/** A number as the report writes it. */
export const count = (value: number): string => Math.round(value).toLocaleString("en")

/** The middle of several measurements: one odd run does not decide. */
export const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN

/** The median time of a call in milliseconds. */
export const medianMs = async (times: number, call: (index: number) => Promise<unknown>): Promise<number> => {
  const taken: Array<number> = []
  for (let index = 0; index < times; index += 1) {
    const before = performance.now()
    await call(index)
    taken.push(performance.now() - before)
  }
  return median(taken)
}
