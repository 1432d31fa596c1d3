/**
 * How the benchmarks measure: warm up, then many short samples, reported as percentiles and a rate.
 *
 * Nothing is asserted here. A figure means something beside another of the same run; see REPORT.md.
 */

/** One line of the report. */
export interface Row {
  readonly suite: string
  readonly name: string
  /** The figure in words, unit included. */
  readonly value: string
  /** What it is measured against, where there is something. */
  readonly target?: string | undefined
  /** Whether the target was met in this run; absent without a target. */
  readonly isMet?: boolean | undefined
}

/** What {@link sample} found. */
export interface Sample {
  readonly p50Us: number
  readonly p99Us: number
  readonly perSecond: number
}

/** Calls `call` one at a time: `warmUp` times unmeasured, then `count` times, each timed. */
export const sample = async (call: () => unknown, count: number, warmUp = count): Promise<Sample> => {
  for (let index = 0; index < warmUp; index += 1) await call()
  const times = new Float64Array(count)
  const startedAt = performance.now()
  for (let index = 0; index < count; index += 1) {
    const before = performance.now()
    await call()
    times[index] = (performance.now() - before) * 1000
  }
  const total = performance.now() - startedAt
  times.sort()
  return { p50Us: at(times, 0.5), p99Us: at(times, 0.99), perSecond: (count / total) * 1000 }
}

/** Calls per second with so many calls in flight. */
export const throughput = async (call: () => Promise<unknown>, inFlight: number, count: number): Promise<number> => {
  const worker = async (share: number): Promise<void> => {
    for (let index = 0; index < share; index += 1) await call()
  }
  const share = Math.ceil(count / inFlight)
  const workers = (): Promise<unknown> => Promise.all(Array.from({ length: inFlight }, () => worker(share)))
  await Promise.all(Array.from({ length: inFlight }, () => worker(Math.ceil(share / 4))))
  const startedAt = performance.now()
  await workers()
  return ((share * inFlight) / (performance.now() - startedAt)) * 1000
}

/** Bytes that one call allocates on the heap, on average; needs `--expose-gc`. */
export const allocatedPerCall = async (call: () => unknown, count: number): Promise<number> => {
  for (let index = 0; index < count; index += 1) await call()
  // The young generation is made large (see package.json), so that nothing is collected while this counts.
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  for (let index = 0; index < count; index += 1) await call()
  return (process.memoryUsage().heapUsed - before) / count
}

/** Bytes of heap that are held after a collection; needs `--expose-gc`. */
export const heldBytes = (): number => {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

/** The middle of several figures: one odd run does not decide. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

const at = (sorted: Float64Array, share: number): number =>
  sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
