/**
 * `pnpm chaos:file`: the encrypted file under SIGKILL at random moments and at every step, crowds of writers, and flipped bits.
 *
 * Takes some minutes, exits non-zero at the first broken promise, and writes `report.md` beside this file. `CHAOS_KILLS` sets
 * how many random kills there are (default 600).
 */
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { CorruptEntryError, CorruptHeaderError, encryptedFileProvider } from "@keyward/provider-encrypted-file"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { firstKey, largeValue, secondKey, SLOTS } from "./keys.ts"
import { spawnVictim } from "./spawnVictim.ts"
import { everything, fill } from "./Vault.ts"

const WRITERS = 4
const KILLS = Math.ceil(Number(process.env["CHAOS_KILLS"] ?? 600) / WRITERS) * WRITERS
const run = Effect.runPromise

const must = (holds: boolean, what: string): void => {
  if (!holds) throw new Error(what)
}

const inFolder = async <A>(work: (path: string) => Promise<A>): Promise<A> => {
  const folder = mkdtempSync(join(tmpdir(), "keyward-chaos-"))
  try {
    return await work(join(folder, "vault"))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const randomKills = (): Promise<Finding> =>
  inFolder(async (path) => {
    const acknowledged = new Map<string, number>()
    const next = new Map<string, number>()
    let [acknowledgements, reads] = [0, 0]
    await fill(path, firstKey, [["steady", "stays"]])
    const reader = encryptedFileProvider({ path, key: firstKey })
    for (let kills = 0; kills < KILLS; kills += WRITERS) {
      const names = Array.from({ length: WRITERS }, (_, index) => `writer ${index}`)
      const crowd = names.map((name, index) => {
        const job = index === 0 && kills % 3 === 0 ? "rotate" : "write"
        return { name, process: spawnVictim([path, job, name, String(next.get(name) ?? 0)]) }
      })
      await Promise.all(crowd.map(({ process }) => process.isWriting))
      const reading = new AbortController()
      const watching = (async () => {
        while (!reading.signal.aborted) {
          const value = await run(reader.get("steady"))
          must(value !== undefined && Redacted.value(value) === "stays", "A reader missed an entry while writers died.")
          reads += 1
          await delay(1)
        }
      })()
      await Promise.all(
        crowd.map(async ({ process }) => {
          await delay(Math.random() * 120)
          process.kill()
          must((await process.end) === null, "A writer ended before it was killed.")
        }),
      )
      reading.abort()
      await watching
      for (const { name, process } of crowd) {
        for (const line of process.acknowledged) {
          const [, , slot, number] = line.split(" ")
          acknowledged.set(`${name} ${slot}`, Number(number))
          next.set(name, Number(number) + 1)
          acknowledgements += 1
        }
        next.set(name, (next.get(name) ?? 0) + 1)
      }
      const found = await everything(path, firstKey)
      for (const [id, number] of acknowledged) {
        const value = Number(found.get(id))
        must(
          value >= number && value <= number + 2 * SLOTS,
          `${id} was acknowledged as ${number} and is ${found.get(id)}.`,
        )
      }
    }
    await run(reader.close())
    return {
      what: `${KILLS} SIGKILLs at random moments over ${WRITERS} writers in parallel, one of which rotates the data key now and then`,
      outcome: `${acknowledgements} acknowledged writes, 0 lost; 0 unreadable files; ${reads} reads by a bystander meanwhile, 0 failed`,
    }
  })

const killAtEveryStep = async (): Promise<Finding> => {
  const tally = { runs: 0, steps: 0 }
  const template = mkdtempSync(join(tmpdir(), "keyward-chaos-"))
  const base = join(template, "vault")
  await fill(base, firstKey, [
    ["kept", "before"],
    ["gone", "before"],
    ["steady", "stays"],
    ["large", "small"],
  ])
  for (const moment of ["before", "half", "after"] as const) {
    for (let count = 1; ; count++) {
      const isOver = await inFolder(async (path) => {
        copyFileSync(base, path)
        const process = spawnVictim([path, "story"], { count, moment })
        const code = await process.end
        must(code === null || code === 0, "A victim failed before it could be killed.")
        await checkStory(path, new Set(process.acknowledged))
        tally.runs += 1
        return code === 0
      })
      if (isOver) break
      tally.steps = Math.max(tally.steps, count)
    }
  }
  rmSync(template, { recursive: true })
  return {
    what: `SIGKILL at each of ${tally.steps} file system calls of a set, a delete, a compaction, a data key rotation and a key change: before it, after half of its bytes, and after it`,
    outcome: `${tally.runs} runs; every file opened with one of the two keys, held every acknowledged change, and could be written again`,
  }
}

const checkStory = async (path: string, acknowledged: ReadonlySet<string>): Promise<void> => {
  const opened = await everything(path, firstKey).then(
    (entries) => ({ entries, key: firstKey }),
    async () => ({ entries: await everything(path, secondKey), key: secondKey }),
  )
  if (acknowledged.has("rekeyed")) must(opened.key === secondKey, "A key change was acknowledged and is not in force.")
  const expectOne = (
    id: string,
    before: string | undefined,
    steps: ReadonlyArray<readonly [string, string | undefined]>,
  ): void => {
    let allowed = new Set([before])
    for (const [step, value] of steps) {
      if (acknowledged.has(step)) allowed = new Set([value])
      else allowed.add(value)
    }
    must(allowed.has(opened.entries.get(id)), `${id} is in a state that was never written.`)
  }
  expectOne("steady", "stays", [])
  expectOne("kept", "before", [["kept", "changed"]])
  expectOne("new", undefined, [["new", "stored"]])
  expectOne("gone", "before", [["gone", undefined]])
  expectOne("large", "small", [
    ["large", largeValue],
    ["larger", `${largeValue}!`],
  ])
  expectOne("last", undefined, [["last", "stored"]])
  await fill(path, opened.key, [["after", "written again"]])
  must((await everything(path, opened.key)).get("after") === "written again", "The vault could not be written again.")
}

const crowdOfWriters = (): Promise<Finding> =>
  inFolder(async (path) => {
    const [processes, writes] = [8, 200]
    const crowd = Array.from({ length: processes }, (_, index) =>
      spawnVictim([path, "write", `writer ${index}`, "0", String(writes)]),
    )
    for (const { end } of crowd) must((await end) === 0, "A writer failed.")
    const found = await everything(path, firstKey)
    for (let writer = 0; writer < processes; writer++) {
      for (let slot = 0; slot < SLOTS; slot++) {
        const last = writes - SLOTS + slot
        must(found.get(`writer ${writer} ${slot}`) === String(last), `Write ${last} of writer ${writer} is missing.`)
      }
    }
    const total = crowd.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0)
    must(total === processes * writes, "Not every write was acknowledged.")
    return {
      what: `${processes} processes × ${writes} writes at once, and a third as many to ids they share`,
      outcome: `${total} acknowledged, all present`,
    }
  })

const flippedBits = (): Promise<Finding> =>
  inFolder(async (path) => {
    const newest = new Map([
      ["a", "second"],
      ["b", "only"],
      ["c", "third"],
    ])
    await fill(path, firstKey, [
      ["a", "first"],
      ["b", "only"],
      ["c", "first"],
      ["c", "second"],
      ["a", "second"],
      ["c", "third"],
    ])
    const file = readFileSync(path)
    const tally = { harmless: 0, header: 0, entry: 0 }
    for (let at = 0; at < file.length; at++) {
      const damaged = Buffer.from(file)
      damaged[at] = (damaged[at] ?? 0) ^ (1 << Math.floor(Math.random() * 8))
      writeFileSync(`${path}.test`, damaged, { mode: 0o600 })
      renameSync(`${path}.test`, path)
      tally[await outcomeOf(path, newest)] += 1
    }
    return {
      what: `one bit of each of the ${file.length} bytes of a file turned over`,
      outcome: `${tally.header} refused as a corrupt header, ${tally.entry} refused for the entry they hit, ${tally.harmless} harmless (the other copy of the head, or a record that a newer one supersedes); never a wrong, older or missing value`,
    }
  })

const outcomeOf = async (
  path: string,
  newest: ReadonlyMap<string, string>,
): Promise<"harmless" | "header" | "entry"> => {
  const provider = encryptedFileProvider({ path, key: firstKey })
  let corrupt = 0
  try {
    for (const [id, value] of newest) {
      try {
        const found = await run(provider.get(id))
        must(found !== undefined && Redacted.value(found) === value, `${id} answered with another value.`)
      } catch (error) {
        if (error instanceof CorruptHeaderError) return "header"
        if (!(error instanceof CorruptEntryError)) throw error
        corrupt += 1
      }
    }
  } finally {
    await run(provider.close())
  }
  must(corrupt <= 2, "One flipped bit cost more than the two records it can join.")
  return corrupt === 0 ? "harmless" : "entry"
}

interface Finding {
  readonly what: string
  readonly outcome: string
}

const started = performance.now()
const findings: Array<Finding> = []
for (const section of [crowdOfWriters, flippedBits, killAtEveryStep, randomKills]) {
  const finding = await section()
  findings.push(finding)
  console.log(`${finding.what}: ${finding.outcome}`)
}
const list = findings.map(({ what, outcome }) => `- ${what}:\n  **${outcome}**`).join("\n")
const machine = `Node ${process.versions.node}, ${process.platform} ${process.arch}, ${cpus().length} cores`
const seconds = Math.round((performance.now() - started) / 1000)
writeFileSync(
  join(import.meta.dirname, "report.md"),
  `# Chaos run of the encrypted file

Written by \`pnpm chaos:file\` on ${new Date().toISOString().slice(0, 10)} in ${seconds} s (${machine}).

${list}
`,
)
