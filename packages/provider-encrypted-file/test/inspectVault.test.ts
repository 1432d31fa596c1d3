/** What a person sees of a vault without its key, and with it. */
import { canary, CanaryScanner } from "@keyward/core/testing"
import { CorruptHeaderError, inspectVault, WrongVaultKeyError } from "@keyward/provider-encrypted-file"
import { describe, expect, it } from "vitest"
import { flipped, linesOf } from "./support/lines.ts"
import { key, vaultFolder } from "./support/vaultFolder.ts"

describe("inspectVault", () => {
  it("describes a vault without its key, changes nothing, and shows no id or value", async () => {
    const { open, path, read } = vaultFolder()
    const [id, value] = [canary("id"), canary("value")]
    const { set, delete: remove } = open()
    await set(id, value)
    await set("b", "two")
    await set("b", "three")
    await remove(id)
    const before = read()
    const seen = await inspectVault(path)
    expect(seen).toMatchObject({
      path,
      formatVersion: 1,
      generation: 1,
      seq: 4,
      opensWith: "key",
      entries: 1,
      bytes: before.length,
      mode: "600",
      hasPrevious: false,
      verified: null,
    })
    expect(seen.keys).toEqual([{ kid: expect.any(String), since: 0, isActive: true, entries: 1 }])
    expect(seen.deadBytes).toBe(before.length - (linesOf(before).start + (linesOf(before).lines[2]?.text.length ?? 0)))
    expect(read().equals(before)).toBe(true)
    new CanaryScanner([id, value]).expectNone(seen, "the inspection")
  })

  it("verifies every record when it has the key", async () => {
    const { open, path, read, replace } = vaultFolder()
    const { set } = open()
    for (const id of ["a", "b", "c"]) await set(id, "value")
    expect((await inspectVault(path, { key })).verified).toEqual({
      damagedRecords: 0,
      damagedEntries: 0,
      hasUnknownDamage: false,
    })
    replace(flipped(read(), (linesOf(read()).lines[1]?.at ?? 0) + 400, 2))
    expect((await inspectVault(path, { key })).verified).toEqual({
      damagedRecords: 1,
      damagedEntries: 1,
      hasUnknownDamage: false,
    })
    await expect(inspectVault(path, { key: Buffer.alloc(32) })).rejects.toBeInstanceOf(WrongVaultKeyError)
  })

  it("says what is wrong with a file that is none, and that there is none", async () => {
    const { path, replace } = vaultFolder()
    await expect(inspectVault(path)).rejects.toMatchObject({ reason: "io" })
    replace(Buffer.from("something else\n"))
    await expect(inspectVault(path)).rejects.toBeInstanceOf(CorruptHeaderError)
  })
})
