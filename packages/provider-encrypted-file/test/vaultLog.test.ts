/** Damage and tampering: what is noticed, what it costs, and what is merely an unfinished write. */
import { readFileSync } from "node:fs"
import { CorruptEntryError, CorruptHeaderError, inspectVault } from "@keyward/provider-encrypted-file"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { companions } from "../src/durableFile.ts"
import { flipped, type Line, linesOf, withLines } from "./support/lines.ts"
import { key, type Opened, vaultFolder } from "./support/vaultFolder.ts"

const CORRUPT = Symbol("corrupt")
const ids = ["a", "b", "c", "d", "gone"]
const expected = new Map([
  ["a", "a, second"],
  ["b", "b, only"],
  ["c", "c, third"],
  ["d", "d, after gone"],
])

/** A vault whose entries were overwritten, deleted and stored again, so that older versions lie in it. */
const story = async ({ set, delete: remove }: Opened): Promise<void> => {
  await set("a", "a, first")
  await set("b", "b, only")
  await set("c", "c, first")
  await set("gone", "deleted")
  await set("a", "a, second")
  await set("c", "c, second")
  await remove("gone")
  await set("d", "d, after gone")
  await set("c", "c, third")
}

const readAll = async ({ get }: Opened): Promise<Map<string, string | undefined | typeof CORRUPT>> => {
  const found = new Map<string, string | undefined | typeof CORRUPT>()
  for (const id of ids) {
    found.set(
      id,
      await get(id).catch((error: unknown) => {
        if (error instanceof CorruptEntryError) return CORRUPT
        throw error
      }),
    )
  }
  return found
}

/** Which ids fail; throws when any answers with something that is not its newest state. */
const corruptIds = async (opened: Opened): Promise<ReadonlyArray<string>> => {
  const found = await readAll(opened)
  for (const [id, value] of found) if (value !== CORRUPT) expect([id, value]).toEqual([id, expected.get(id)])
  return ids.filter((id) => found.get(id) === CORRUPT)
}

describe("a damaged vault", { timeout: 60_000 }, () => {
  it("never answers with a wrong, older or missing value, whichever bit is turned over", async () => {
    const vault = vaultFolder()
    await story(vault.open())
    const file = vault.read()
    const kinds = { harmless: 0, header: 0, entry: 0 }
    for (let at = 0; at < file.length; at += at < 4096 ? 13 : 7) {
      vault.replace(flipped(file, at, at % 8))
      const opened = vault.open()
      try {
        const corrupt = await corruptIds(opened)
        expect(corrupt.length).toBeLessThanOrEqual(2)
        kinds[corrupt.length === 0 ? "harmless" : "entry"] += 1
      } catch (error) {
        expect(error).toBeInstanceOf(CorruptHeaderError)
        expect(at).toBeLessThan(4096)
        kinds.header += 1
      } finally {
        await opened.close()
      }
    }
    expect(kinds.header).toBeGreaterThan(300)
    expect(kinds.entry).toBeGreaterThan(300)
    expect(kinds.harmless).toBeGreaterThan(100)
  })

  it("costs only the entries that lie in a damaged sector", async () => {
    const vault = vaultFolder()
    const writer = vault.open()
    const all = Array.from({ length: 40 }, (_, index) => `id ${index}`)
    for (const round of ["old", "new"]) for (const id of all) await writer.set(id, `${round} ${id}`)
    const file = vault.read()
    const { lines } = linesOf(file)
    for (let sector = 8192; sector < file.length; sector += 4096) {
      const damaged = Buffer.from(file)
      damaged.fill(0, sector, Math.min(sector + 4096, file.length))
      vault.replace(damaged)
      const hit = lines.filter(({ at, text }) => at < sector + 4096 && at + text.length > sector)
      const newest = new Set(
        hit.map(({ at }) => lines.findIndex((line) => line.at === at)).filter((line) => line >= 40),
      )
      const opened = vault.open()
      for (const [index, id] of all.entries()) {
        if (newest.has(index + 40)) await expect(opened.get(id)).rejects.toBeInstanceOf(CorruptEntryError)
        else expect(await opened.get(id)).toBe(`new ${id}`)
      }
      await opened.close()
    }
  })

  const tamperings: ReadonlyArray<
    readonly [string, (lines: ReadonlyArray<Line>) => ReadonlyArray<{ text: string }>, ReadonlyArray<string>]
  > = [
    ["the newest line of an entry is removed", (lines) => lines.slice(0, -1), ["c"]],
    ["the newest line of an entry in the middle is removed", (lines) => lines.toSpliced(4, 1), ["a"]],
    ["a deletion is removed", (lines) => lines.toSpliced(6, 1), ["gone"]],
    [
      "an older line stands in for the newest",
      (lines) => lines.toSpliced(4, 1, lines[0] ?? { text: "", at: 0 }),
      ["a"],
    ],
    ["an older line is appended again", (lines) => [...lines, ...lines.slice(0, 3)], []],
    [
      "two lines change places",
      (lines) => [lines[1], lines[0], ...lines.slice(2)].map((line) => ({ text: line?.text ?? "" })),
      [],
    ],
    ["a foreign line is put in between", (lines) => lines.toSpliced(3, 0, { at: 0, text: "put 4 4 x - y z w\n" }), []],
    [
      "the sealed entries of two lines change places",
      (lines) => {
        const [first, second] = [lines[1]?.text.split(" ") ?? [], lines[7]?.text.split(" ") ?? []]
        const swapped = [first.with(6, second[6] ?? ""), second.with(6, first[6] ?? "")].map((parts) => parts.join(" "))
        return lines.map(({ text }, index) => ({
          text: index === 1 ? (swapped[0] ?? "") : index === 7 ? (swapped[1] ?? "") : text,
        }))
      },
      ["b", "d"],
    ],
    ["every line is removed", () => [], ids],
  ]
  for (const [what, tamper, cost] of tamperings) {
    it(`notices that ${what}`, async () => {
      const vault = vaultFolder()
      await story(vault.open())
      vault.replace(withLines(vault.read(), tamper(linesOf(vault.read()).lines)))
      const opened = vault.open()
      expect(await corruptIds(opened)).toEqual(cost)
      for (const id of cost) expect(await opened.has(id)).toBe(true)
    })
  }

  it("cannot be passed off as empty when more is cut off than can be named", async () => {
    const vault = vaultFolder()
    const writer = vault.open()
    for (let index = 0; index < 20; index++) await writer.set(`id ${index}`, "value")
    vault.replace(withLines(vault.read(), []))
    const opened = vault.open()
    await expect(opened.ids()).rejects.toBeInstanceOf(CorruptEntryError)
    for (const id of ["id 0", "id 19", "never stored"]) {
      await expect(opened.get(id)).rejects.toBeInstanceOf(CorruptEntryError)
    }
    await expect(opened.provider.rotateDataKey()).rejects.toBeInstanceOf(CorruptEntryError)
  })

  it("does not pass an entry for current when a newer one may be among the lost", async () => {
    const vault = vaultFolder()
    const writer = vault.open()
    await writer.set("old", "maybe stale")
    for (let index = 0; index < 20; index++) await writer.set(`id ${index}`, "value")
    vault.replace(withLines(vault.read(), linesOf(vault.read()).lines.toSpliced(3, 12)))
    const opened = vault.open()
    await expect(opened.get("old")).rejects.toBeInstanceOf(CorruptEntryError)
    expect(await opened.get("id 19")).toBe("value")
    await opened.set("old", "stored anew")
    expect(await opened.get("old")).toBe("stored anew")
  })

  it("rejects a record of another branch of its history", async () => {
    const vault = vaultFolder()
    const first = vault.open()
    await first.set("x", "before")
    await first.close()
    const fork = vault.read()
    const one = vault.open()
    await one.set("x", "one branch")
    await one.close()
    const stray = linesOf(vault.read()).lines[1]
    vault.replace(fork)
    const other = vault.open()
    await other.set("x", "other branch")
    await other.set("y", "later")
    const { lines } = linesOf(vault.read())
    vault.replace(withLines(vault.read(), lines.with(1, stray ?? { at: 0, text: "" })))
    const opened = vault.open()
    await expect(opened.get("x")).rejects.toBeInstanceOf(CorruptEntryError)
    expect(await opened.get("y")).toBe("later")
  })

  it("is healed entry by entry, by storing or deleting", async () => {
    const vault = vaultFolder()
    await story(vault.open())
    const { lines } = linesOf(vault.read())
    vault.replace(withLines(vault.read(), [...lines.slice(0, 4), ...lines.slice(5, 8)]))
    const opened = vault.open()
    expect(await corruptIds(opened)).toEqual(["a", "c"])
    await opened.set("a", "a, healed")
    await opened.delete("c")
    for (const reader of [opened, vault.open()]) {
      expect(await reader.get("a")).toBe("a, healed")
      expect(await reader.get("c")).toBeUndefined()
      expect(await reader.ids()).toEqual(["a", "b", "d"])
    }
  })

  it("stays damaged through compaction and rotation instead of forgetting what it lost", async () => {
    const vault = vaultFolder()
    await story(vault.open())
    vault.replace(withLines(vault.read(), linesOf(vault.read()).lines.slice(0, -1)))
    const opened = vault.open()
    await opened.provider.rotateDataKey()
    expect(await corruptIds(opened)).toEqual(["c"])
    expect(await corruptIds(vault.open())).toEqual(["c"])
    expect((await inspectVault(vault.path, { key })).verified).toEqual({
      damagedRecords: 0,
      damagedEntries: 1,
      hasUnknownDamage: false,
    })
  })

  it("leaves no trace of a write that was torn off at any byte", async () => {
    const vault = vaultFolder()
    await story(vault.open())
    const before = vault.read()
    const writer = vault.open()
    await writer.set("b", "b, torn")
    const after = vault.read()
    for (let cut = before.length + 1; cut < after.length; cut += 29) {
      vault.replace(Buffer.concat([before, after.subarray(before.length, cut)]))
      const opened = vault.open()
      expect(await corruptIds(opened)).toEqual([])
      await opened.set("e", "written behind it")
      const { lines } = linesOf(vault.read())
      expect(lines).toHaveLength(10)
      expect(await vault.open().get("e")).toBe("written behind it")
      await opened.close()
    }
  })

  it("takes over a write that was whole but not yet acknowledged", async () => {
    const vault = vaultFolder()
    await story(vault.open())
    const before = vault.read()
    await vault.open().set("b", "b, unacknowledged")
    const after = vault.read()
    const head = { from: 4096, to: 4096 + 1024 }
    vault.replace(
      Buffer.concat([after.subarray(0, head.from), before.subarray(head.from, head.to), after.subarray(head.to)]),
    )
    const opened = vault.open()
    expect(await opened.get("b")).toBe("b, unacknowledged")
    await opened.set("e", "next")
    expect(await vault.open().get("b")).toBe("b, unacknowledged")
  })
})

describe("a vault's log", { timeout: 60_000 }, () => {
  it("holds what a map would hold, through any sequence of writes, rotations and reopenings", async () => {
    const id = fc.constantFrom("x", "y", "z", "__proto__", "")
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ kind: fc.constant("set" as const), id, value: fc.string({ unit: "binary" }) }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), id }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constantFrom("rotate" as const, "reopen" as const, "rekey" as const) }),
      },
    )
    const vault = vaultFolder()
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const path = `${vault.path}-${run++}`
        const model = new Map<string, string>()
        let current = Buffer.from(key)
        let opened = vault.open({ path, key: current })
        for (const taken of steps) {
          if (taken.kind === "set") {
            await opened.set(taken.id, taken.value)
            model.set(taken.id, taken.value)
          } else if (taken.kind === "delete") {
            await opened.delete(taken.id)
            model.delete(taken.id)
          } else if (taken.kind === "rotate") {
            await opened.provider.rotateDataKey()
          } else if (taken.kind === "rekey") {
            current = Buffer.alloc(32, run + model.size)
            await opened.provider.changeKey({ key: current })
          } else {
            await opened.close()
            opened = vault.open({ path, key: current })
          }
        }
        expect(await opened.ids()).toEqual([...model.keys()].sort())
        for (const [known, value] of model) expect(await opened.get(known)).toBe(value)
        await opened.close()
      }),
      { numRuns: 40 },
    )
  })

  it("is compacted when most of it is dead, and keeps the former generation, which opens", async () => {
    const vault = vaultFolder()
    const { set, get } = vault.open()
    await set("kept", "stays")
    const large = "x".repeat(60_000)
    for (let round = 0; round < 40; round++) await set("large", `${round} ${large}`)
    expect(vault.read().length).toBeLessThan(700_000)
    for (const reader of [get, vault.open().get]) {
      expect(await reader("large")).toBe(`39 ${large}`)
      expect(await reader("kept")).toBe("stays")
    }
    const { previous } = companions(vault.path)
    expect(readFileSync(previous).length).toBeGreaterThan(100_000)
    expect(await vault.open({ path: previous }).get("kept")).toBe("stays")
    expect((await inspectVault(vault.path)).hasPrevious).toBe(true)
  })

  it("appends the same number of bytes however much is stored", async () => {
    const vault = vaultFolder()
    const { set } = vault.open()
    const growth: Array<number> = []
    for (const count of [20, 400]) {
      await Promise.all(Array.from({ length: count }, (_, index) => set(`id ${count} ${index}`, "value")))
      const before = vault.read().length
      await set(`measured ${count}`, "value")
      growth.push(vault.read().length - before)
    }
    const [few = 0, many = 0] = growth
    expect(many - few).toBeLessThan(16)
  })
})
