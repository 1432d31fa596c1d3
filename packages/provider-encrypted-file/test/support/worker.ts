/**
 * A process of its own that uses a vault: `node worker.ts <path> <job> [...]`. Says what it does on stdout, line by line.
 *
 * `write <prefix> <count>` stores and says `stored <id>` after each acknowledgement; with count `0` it never ends.
 * `stall <id> <ms>` stops its event loop for that long while it holds the lock. `hold <id>` holds the lock for ever.
 */
import { writeSync } from "node:fs"
import { encryptedFileProvider, type VaultAnchor } from "@keyward/provider-encrypted-file"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

const [path = "", job, prefix = "", count = "0"] = process.argv.slice(2)
const say = (line: string): void => void writeSync(1, `${line}\n`)

const underTheLock: Record<string, () => Promise<void>> = {
  stall: async () => {
    say("holding")
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(count))
    say("going on")
  },
  hold: () => {
    say("holding")
    setInterval(() => undefined, 1_000)
    return new Promise(() => undefined)
  },
}
const write = underTheLock[job ?? ""]
const anchor: VaultAnchor | undefined = write && { read: () => Promise.resolve(undefined), write }
const provider = encryptedFileProvider({ path, key: Buffer.alloc(32, 7), anchor, lockTimeoutMs: 60_000 })
const set = (id: string, value: string): Promise<void> => Effect.runPromise(provider.set(id, Redacted.make(value)))

if (job === "write") {
  const last = count === "0" ? Number.POSITIVE_INFINITY : Number(count)
  for (let index = 0; index < last; index++) {
    const id = `${prefix} ${index}`
    await set(id, `value of ${id}`)
    say(`stored ${id}`)
  }
} else {
  await set(prefix, `value of ${prefix}`)
}
await Effect.runPromise(provider.close())
