/** Everything that is printed while a test runs, in place of printing it. */
import { afterEach, beforeEach, vi } from "vitest"

/** Collects from the start of each test of this file on; answers what was collected in the test that runs. */
export const collectPrinted = (): (() => ReadonlyArray<unknown>) => {
  let printed: Array<unknown> = []
  beforeEach(() => {
    printed = []
    for (const method of ["log", "info", "warn", "error", "debug", "trace", "dir", "table"] as const) {
      vi.spyOn(console, method).mockImplementation((...line: ReadonlyArray<unknown>) => void printed.push(line))
    }
    for (const stream of [process.stdout, process.stderr]) {
      vi.spyOn(stream, "write").mockImplementation((chunk) => {
        printed.push(chunk)
        return true
      })
    }
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })
  return () => printed
}
