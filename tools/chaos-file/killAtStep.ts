/**
 * Preloaded into a victim: kills the process at its n-th change to the file system, before it, in the middle, or after it.
 *
 * `CHAOS_STEP` is n, `CHAOS_MOMENT` is `before`, `half` or `after`. Counting begins when the victim emits `chaos:armed` on
 * `process`. Half of a write is really half of its bytes; of other calls it is the same as before.
 */
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"

const step = Number(process.env["CHAOS_STEP"])
const moment = process.env["CHAOS_MOMENT"]
let count = Number.NEGATIVE_INFINITY
process.once("chaos:armed", () => {
  count = 0
})

type Call = (...values: ReadonlyArray<unknown>) => unknown
const calls = fs as unknown as Record<string, Call>
const write = fs.writeSync

const die = (): never => {
  process.kill(process.pid, "SIGKILL")
  throw new Error("The process outlived SIGKILL.")
}

const isDue = (values: ReadonlyArray<unknown>): boolean => values[0] !== 1 && ++count === step

for (const name of [
  "ftruncateSync",
  "openSync",
  "fchmodSync",
  "chmodSync",
  "renameSync",
  "linkSync",
  "rmSync",
  "mkdirSync",
]) {
  const original = calls[name] as Call
  calls[name] = (...values) => {
    const due = isDue(values)
    if (due && moment !== "after") die()
    const result = original(...values)
    return due ? die() : result
  }
}
for (const name of ["fsync", "fdatasync"]) {
  const original = calls[name] as Call
  calls[name] = (fd, done) => {
    const due = isDue([fd])
    if (due && moment !== "after") die()
    return original(fd, (error: unknown) => (due ? die() : (done as Call)(error)))
  }
}
calls["writeSync"] = (...values) => {
  const [fd, bytes, offset, length, position] = values as [number, Uint8Array, number, number, number]
  const due = isDue(values)
  if (due && moment === "before") die()
  if (due && moment === "half") {
    write(fd, bytes, offset, Math.floor(length / 2), position)
    die()
  }
  const result = (write as unknown as Call)(...values)
  return due ? die() : result
}
syncBuiltinESMExports()
