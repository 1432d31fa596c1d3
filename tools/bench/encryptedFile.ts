/**
 * Figures of the encrypted file: opening, reading and writing at 100, 1,000 and 10,000 entries of 1 KB.
 *
 * `pnpm bench encrypted-file` runs it in its own process; `node --conditions=@keyward/source encryptedFile.ts` prints it alone.
 * Every file is made below the system's temporary directory, which decides which disk is measured.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { encryptedFileProvider } from "@keyward/provider-encrypted-file"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { median, type Row, type Sample, sample } from "./measure.ts"

const suite = "encrypted-file"
const sizes = [100, 1_000, 10_000]
const writes = 200
const warmUpWrites = 50
const openings = 7
const headBytes = 2 * 512
const key = Buffer.alloc(32, 1)
const secret = Redacted.make("s".repeat(1024))
const run = Effect.runPromise

/** Runs the suite; takes about ten seconds. */
export const encryptedFile = async (): Promise<ReadonlyArray<Row>> => {
  const rows: Array<Row> = []
  const medians: Array<number> = []
  for (const size of sizes) {
    const { opening, warm, first, set, bytesPerSet } = await measure(size)
    medians.push(set.p50Us)
    const at = `${size.toLocaleString("en")} entries`
    const openingMs = `${opening.toFixed(0)} ms`
    rows.push(
      size === 10_000
        ? { suite, name: `${at}: open, the key given raw`, value: openingMs, target: "≤ 400 ms", isMet: opening <= 400 }
        : { suite, name: `${at}: open, the key given raw`, value: openingMs },
      {
        suite,
        name: `${at}: get, warm, p50`,
        value: `${warm.p50Us.toFixed(1)} µs`,
        target: "≤ 30 µs",
        isMet: warm.p50Us <= 30,
      },
      { suite, name: `${at}: get, first time, p50`, value: `${first.p50Us.toFixed(0)} µs` },
      {
        suite,
        name: `${at}: set, durable, p50`,
        value: `${(set.p50Us / 1000).toFixed(2)} ms (p99 ${(set.p99Us / 1000).toFixed(1)} ms)`,
        target: "≤ 3 ms",
        isMet: set.p50Us <= 3_000,
      },
      { suite, name: `${at}: bytes written per set, head included`, value: `${bytesPerSet.toFixed(0)} B` },
    )
  }
  const [smallest = Number.NaN] = medians
  const growth = (medians.at(-1) ?? Number.NaN) / smallest
  rows.push(
    {
      suite,
      name: "set, p50: 10,000 entries ÷ 100 entries",
      value: growth.toFixed(2),
      target: "flat",
      isMet: growth < 1.5,
    },
    { suite, name: "this disk: append 1.5 KB and fdatasync, p50", value: `${(await plainAppend()).toFixed(2)} ms` },
  )
  return rows
}

interface Measured {
  /** Milliseconds from a new provider to its first answer; median. */
  readonly opening: number
  readonly warm: Sample
  readonly first: Sample
  readonly set: Sample
  readonly bytesPerSet: number
}

const measure = (size: number): Promise<Measured> =>
  inFolder(async (path) => {
    const writer = encryptedFileProvider({ path, key })
    await Promise.all(Array.from({ length: size }, (_, index) => run(writer.set(`entry ${index}`, secret))))
    const before = statSync(path).size
    let written = 0
    const set = await sample(() => run(writer.set(`new ${written++}`, secret)), writes, warmUpWrites)
    const bytesPerSet = (statSync(path).size - before) / written + headBytes
    await run(writer.close())
    const times: Array<number> = []
    for (let round = 0; round < openings; round += 1) {
      const startedAt = performance.now()
      const opened = encryptedFileProvider({ path, key })
      await run(opened.get("entry 0"))
      times.push(performance.now() - startedAt)
      await run(opened.close())
    }
    const reader = encryptedFileProvider({ path, key })
    let read = 0
    const first = await sample(() => run(reader.get(`entry ${read++}`)), Math.min(size, 400) - 50, 50)
    const warm = await sample(() => run(reader.get("entry 7")), 5_000)
    await run(reader.close())
    return { opening: median(times), warm, first, set, bytesPerSet }
  })

const plainAppend = (): Promise<number> =>
  inFolder(async (path) => {
    const fd = openSync(path, "w")
    const line = Buffer.alloc(1536, "x")
    const { p50Us } = await sample(() => {
      writeSync(fd, line)
      fdatasyncSync(fd)
    }, writes)
    closeSync(fd)
    return p50Us / 1000
  })

const inFolder = async <A>(work: (path: string) => Promise<A>): Promise<A> => {
  const folder = mkdtempSync(join(tmpdir(), "keyward-bench-"))
  try {
    return await work(join(folder, "vault"))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

if (import.meta.main) console.table(await encryptedFile())
