/** Keys: what is accepted, what is told apart, and changing them while others read and write. */
import { createHash, randomBytes } from "node:crypto"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { InvalidProviderOptionsError } from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import {
  CorruptHeaderError,
  encryptedFileProvider,
  inspectVault,
  NewerVaultVersionError,
  type VaultSecret,
  WrongVaultKeyError,
} from "@keyward/provider-encrypted-file"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { paddedLength } from "../src/vaultSeal.ts"
import { key, vaultFolder } from "./support/vaultFolder.ts"

const passphrase = "correct horse battery staple"

describe("a vault's keys", { timeout: 60_000 }, () => {
  it("opens with the same key in every form it may have", async () => {
    const { open } = vaultFolder()
    await open().set("a", "one")
    const forms: ReadonlyArray<VaultSecret> = [
      { key: new Uint8Array(key) },
      { key: key.toString("base64") },
      { key: key.toString("base64url") },
      { key: `${key.toString("base64")}\n` },
      { key: async () => key },
      { key: async () => key.toString("base64") },
    ]
    for (const form of forms) expect(await open(form).get("a")).toBe("one")
  })

  it("opens with a passphrase, however its letters are composed", async () => {
    const { open } = vaultFolder()
    await open({ key: undefined, passphrase: "caf\u00e9 au lait" }).set("a", "one")
    expect(await open({ key: undefined, passphrase: "cafe\u0301 au lait" }).get("a")).toBe("one")
  })

  it("stretches a passphrase with the cost that is recommended, and stores it", async () => {
    const { open, read } = vaultFolder()
    await open({ key: undefined, passphrase }).set("a", "one")
    expect(read().toString("latin1", 0, 400)).toMatch(
      /"kdf":\{"alg":"scrypt","N":131072,"r":8,"p":1,"salt":"[\w-]{22}"\}/,
    )
  })

  const unusable: ReadonlyArray<readonly [string, unknown]> = [
    ["neither a key nor a passphrase", {}],
    ["both a key and a passphrase", { key, passphrase }],
    ["31 bytes", { key: key.subarray(1) }],
    ["33 bytes", { key: Buffer.alloc(33) }],
    ["an empty text", { key: "" }],
    ["base64 of 16 bytes", { key: Buffer.alloc(16).toString("base64") }],
    ["a short passphrase", { passphrase: "seven77" }],
  ]
  for (const [kind, secret] of unusable) {
    it(`refuses ${kind} at once`, () => {
      const { path } = vaultFolder()
      expect(() => encryptedFileProvider({ path, ...(secret as VaultSecret) })).toThrow(InvalidProviderOptionsError)
    })
  }

  it("refuses what a function fetches when it is no key", async () => {
    const { open } = vaultFolder()
    for (const fetched of ["", Buffer.alloc(16), undefined as unknown as string]) {
      await expect(open({ key: async () => fetched }).set("a", "one")).rejects.toMatchObject({
        _tag: "ProviderDeniedError",
        reason: "invalid_key",
      })
    }
  })

  it("repeats nothing of what a function that fetches the key throws", async () => {
    const { open } = vaultFolder()
    const secret = canary("kms")
    const failing = open({ key: () => Promise.reject(new Error(`denied for ${secret}`)) })
    const error: unknown = await failing.set("a", "one").catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ reason: "invalid_key" })
    new CanaryScanner([secret]).expectNone(error, "the error")
  })

  it("says that the key is wrong, and changes nothing", async () => {
    const { open, read } = vaultFolder()
    await open().set("a", "one")
    const before = read()
    for (const wrong of [open({ key: randomBytes(32) }), open({ key: undefined, passphrase })]) {
      for (const call of [wrong.get("a"), wrong.set("a", "two"), wrong.ids(), wrong.provider.rotateDataKey()]) {
        await expect(call).rejects.toBeInstanceOf(WrongVaultKeyError)
      }
    }
    expect(read().equals(before)).toBe(true)
    expect(await open().get("a")).toBe("one")
  })

  it("says that a newer release wrote the file, and changes nothing", async () => {
    const { open, replace, read } = vaultFolder()
    const body = `keyward-vault 2 {"anything":"else"} ${"m".repeat(22)}`
    const line = `${body} ${createHash("sha256").update(body).digest("base64url")}\n`
    replace(Buffer.from(line))
    await expect(open().get("a")).rejects.toBeInstanceOf(NewerVaultVersionError)
    await expect(open().set("a", "one")).rejects.toBeInstanceOf(NewerVaultVersionError)
    expect(read().toString()).toBe(line)
  })

  it("refuses scrypt costs out of bounds before it spends them", async () => {
    const { open, replace, read } = vaultFolder()
    await open({ key: undefined, passphrase }).set("a", "one")
    const file = read()
    for (const cost of ['"N":2147483648,"r":8', '"N":131072,"r":4096', '"N":131073,"r":8', '"N":2,"r":8']) {
      const body = file.toString("latin1", 0, file.indexOf(0x0a)).replace('"N":131072,"r":8', cost)
      const signed = body.slice(0, body.lastIndexOf(" "))
      const line = `${signed} ${createHash("sha256").update(signed, "latin1").digest("base64url")}\n`
      replace(Buffer.concat([Buffer.from(line, "latin1"), file.subarray(file.indexOf(0x0a) + 1)]))
      await expect(open({ key: undefined, passphrase }).get("a")).rejects.toBeInstanceOf(CorruptHeaderError)
    }
  })

  it("seals every entry anew under a new data key, and drops the former one", async () => {
    const { open, path } = vaultFolder()
    const { provider, set, get, ids, delete: remove } = open()
    const other = open()
    for (let index = 0; index < 300; index++) await set(`id ${index}`, `value ${index}`)
    await remove("id 7")
    const [former] = (await inspectVault(path)).keys
    await provider.rotateDataKey()
    const { keys, entries, verified } = await inspectVault(path, { key })
    expect(keys).toEqual([expect.objectContaining({ isActive: true, entries: 299 })])
    expect(keys[0]?.kid).not.toBe(former?.kid)
    expect({ entries, verified }).toMatchObject({ entries: 299, verified: { damagedRecords: 0, damagedEntries: 0 } })
    expect(await ids()).toHaveLength(299)
    for (const reader of [get, other.get, open().get]) expect(await reader("id 42")).toBe("value 42")
    expect(await other.get("id 7")).toBeUndefined()
  })

  it("goes on reading and writing in several providers while the data key rotates", async () => {
    const { open } = vaultFolder()
    const [first, second] = [open(), open()]
    await Promise.all(Array.from({ length: 200 }, (_, index) => first.set(`id ${index}`, "old")))
    const rotations = Promise.all([first.provider.rotateDataKey(), second.provider.rotateDataKey()])
    const writes = Promise.all(Array.from({ length: 50 }, (_, index) => second.set(`id ${index}`, "new")))
    for (let index = 100; index < 200; index++) expect(await second.get(`id ${index}`)).toBe("old")
    await Promise.all([rotations, writes])
    const { ids, get } = open()
    expect(await ids()).toHaveLength(200)
    for (let index = 0; index < 200; index++) expect(await get(`id ${index}`)).toBe(index < 50 ? "new" : "old")
  })

  it("may be closed in the middle of a rotation, which then says so and can be done again", async () => {
    const { open } = vaultFolder()
    const { provider, set, close } = open()
    await Promise.all(Array.from({ length: 300 }, (_, index) => set(`id ${index}`, "value")))
    const rotation = provider.rotateDataKey()
    const last = set("last", "written before it closed")
    await close()
    await expect(rotation).rejects.toMatchObject({ reason: "closed" })
    await last
    const again = open()
    expect(await again.ids()).toHaveLength(301)
    await again.provider.rotateDataKey()
    expect(await again.get("id 299")).toBe("value")
  })

  it("changes from a key to a passphrase and to another key; the former open nothing beside the file any more", async () => {
    const { open, folder } = vaultFolder()
    const { provider, get, set } = open()
    await set("a", "one")
    await provider.changeKey({ passphrase })
    expect(await get("a")).toBe("one")
    await set("b", "two")
    const other = Buffer.alloc(32, 9)
    expect(await open({ key: undefined, passphrase }).get("b")).toBe("two")
    await provider.changeKey({ key: other })
    await expect(open({ key: undefined, passphrase }).get("a")).rejects.toBeInstanceOf(WrongVaultKeyError)
    await expect(open().get("a")).rejects.toBeInstanceOf(WrongVaultKeyError)
    expect(await open({ key: other }).ids()).toEqual(["a", "b"])
    expect(readdirSync(folder).sort()).toEqual(["vault", "vault.lock"])
  })

  it("leaves sealed entries as they are when only the key changes", async () => {
    const { open, read } = vaultFolder()
    const { provider, set } = open()
    await set("a", "one")
    const sealed = / (eyJ\S+) \S+\n$/.exec(read().toString("latin1"))?.[1]
    await provider.changeKey({ key: Buffer.alloc(32, 9) })
    expect(read().toString("latin1")).toContain(sealed)
  })

  it("tells a process with the former key that it is wrong now, and asks a function again", async () => {
    const { open } = vaultFolder()
    const current = { key }
    const fetching = open({ key: async () => current.key })
    const stuck = open()
    const changing = open()
    await changing.set("a", "one")
    expect(await stuck.get("a")).toBe("one")
    expect(await fetching.get("a")).toBe("one")
    current.key = Buffer.alloc(32, 9)
    await changing.provider.changeKey({ key: current.key })
    await expect(stuck.get("a")).rejects.toBeInstanceOf(WrongVaultKeyError)
    expect(await fetching.get("a")).toBe("one")
  })

  it("does not open an entry in another vault with the same key", async () => {
    const [one, other] = [vaultFolder(), vaultFolder()]
    await one.open().set("a", "one")
    await other.open().set("a", "two")
    const line = one.read().subarray(one.read().lastIndexOf(0x0a, one.read().length - 2) + 1)
    const stolen = Buffer.concat([other.read().subarray(0, other.read().length - line.length), line])
    writeFileSync(other.path, stolen)
    await expect(other.open().get("a")).rejects.toMatchObject({ reason: "corrupt_entry" })
    expect(readFileSync(one.path).equals(stolen)).toBe(false)
  })

  it("pads every size to a bucket that wastes at most 256 bytes or one sixteenth", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 24), (length) => {
        const padded = paddedLength(length)
        expect(padded).toBeGreaterThanOrEqual(Math.max(1, length))
        expect(padded - length).toBeLessThanOrEqual(Math.max(256, length / 16))
        expect(paddedLength(padded)).toBe(padded)
      }),
    )
  })
})
