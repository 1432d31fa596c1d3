/** The provider contract over real files, and what is special about this provider's face. */
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { InvalidProviderOptionsError } from "@keyward/core"
import { canary, CanaryScanner, providerContract } from "@keyward/core/testing"
import { encryptedFileProvider } from "@keyward/provider-encrypted-file"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import * as publicEntry from "../src/index.ts"
import { flipped, linesOf } from "./support/lines.ts"
import { key, vaultFolder } from "./support/vaultFolder.ts"

const damages: Readonly<Record<string, (file: Buffer) => Buffer>> = {
  "a damaged entry": (file) => flipped(file, (linesOf(file).lines.at(-1)?.at ?? 0) + 300, 3),
  "a damaged header": (file) => flipped(file, 60, 3),
  "a damaged head": (file) => flipped(flipped(file, 4110, 3), 4110 + 512, 3),
  "an empty file": () => Buffer.alloc(0),
  "a file of something else": () => Buffer.from("not a vault at all\n"),
  "a log that was cut off": (file) => file.subarray(0, linesOf(file).start),
}

describe("encryptedFileProvider", () => {
  const contract = providerContract(
    () => {
      const folder = mkdtempSync(join(tmpdir(), "keyward-contract-"))
      const path = join(folder, "vault")
      return {
        provider: encryptedFileProvider({ path, key }),
        breakBackend: (failure) => {
          writeFileSync(`${path}.test`, damages[failure]?.(readFileSync(path)) ?? "", { mode: 0o600 })
          renameSync(`${path}.test`, path)
        },
        dispose: () => rmSync(folder, { recursive: true }),
      }
    },
    { failures: Object.keys(damages), malformedValues: "kept" },
  )
  for (const { name, run } of contract) it(name, run)

  it("is registered as encrypted-file unless told otherwise", () => {
    const { path } = vaultFolder()
    expect(encryptedFileProvider({ path, key }).key).toBe("encrypted-file")
    expect(encryptedFileProvider({ path, key, providerKey: "team" }).key).toBe("team")
  })

  it("refuses a path that can be none, at once", () => {
    for (const path of ["", "with\0NUL", undefined as unknown as string]) {
      expect(() => encryptedFileProvider({ path, key })).toThrow(InvalidProviderOptionsError)
    }
  })

  it("touches nothing before its first call, and only looks before its first write", async () => {
    const { open, folder } = vaultFolder()
    const { get, ids, delete: remove } = open()
    expect(await get("a")).toBeUndefined()
    expect(await ids()).toEqual([])
    await remove("a")
    expect(readable(folder)).toEqual(["vault.lock"])
  })

  it("keeps what it stored for the next process", async () => {
    const { open } = vaultFolder()
    const first = open()
    await first.set("a", "one")
    await first.set("b", "two")
    await first.delete("b")
    await first.close()
    const second = open()
    expect(await second.get("a")).toBe("one")
    expect(await second.ids()).toEqual(["a"])
  })

  it("writes no id, value, key or passphrase in clear, and prints none", async () => {
    const { open, folder } = vaultFolder()
    const [id, value, gone, passphrase] = [canary("id"), canary("value"), canary("gone"), canary("passphrase")]
    const keyText = Buffer.from(canary("key").slice(-32)).toString("base64")
    const { provider, set, delete: remove } = open({ key: keyText })
    const scanner = new CanaryScanner([id, value, gone, passphrase, keyText])
    await set(id, value)
    await set(id, gone)
    await remove(id)
    await set(id, value)
    await scanner.expectNoneInFolder(folder)
    await provider.rotateDataKey()
    await scanner.expectNoneInFolder(folder)
    await provider.changeKey({ passphrase })
    await scanner.expectNoneInFolder(folder)
    const secrets = new CanaryScanner([value, gone, passphrase, keyText])
    secrets.expectNone(provider, "the provider")
    secrets.expectNone(await Effect.runPromise(provider.get(id)), "what get answers")
    secrets.expectNone(await Effect.runPromise(Effect.flip(open({ key: keyText }).provider.get(id))), "the error")
  })

  it("hides how long a value is within its bucket", async () => {
    const { open, read } = vaultFolder()
    const { set } = open()
    await set("short", "x")
    await set("longer", "x".repeat(200))
    const [short, longer] = linesOf(read()).lines.map(({ text }) => text.split(" ")[6]?.length)
    expect(short).toBe(longer)
  })

  it("answers from memory, with the value it decrypted before, while the file stays as it is", async () => {
    const { open } = vaultFolder()
    const { set, provider } = open()
    await set("a", "one")
    const first = await Effect.runPromise(provider.get("a"))
    expect(first).toBeDefined()
    expect(await Effect.runPromise(provider.get("a"))).toBe(first)
    await set("b", "another entry")
    expect(await Effect.runPromise(provider.get("a"))).toBe(first)
  })

  it("drops a write that was interrupted while it waited", async () => {
    const { open } = vaultFolder()
    const held = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    const anchor = {
      read: () => Promise.resolve(undefined),
      write: () => {
        reached.resolve()
        return held.promise
      },
    }
    const { set, get, provider } = open({ anchor })
    const first = set("first", "1")
    await reached.promise
    const abort = new AbortController()
    const second = Effect.runPromise(provider.set("second", Redacted.make("2")), { signal: abort.signal })
    abort.abort()
    await expect(second).rejects.toThrow(/interrupt/)
    held.resolve()
    await first
    expect(await get("first")).toBe("1")
    expect(await get("second")).toBeUndefined()
  })

  it("exports what it promises, and nothing else", () => {
    expect(Object.keys(publicEntry).sort()).toEqual([
      "CorruptEntryError",
      "CorruptHeaderError",
      "NewerVaultVersionError",
      "UnsafeVaultError",
      "VaultLockedError",
      "VaultRolledBackError",
      "WrongVaultKeyError",
      "encryptedFileProvider",
      "inspectVault",
    ])
  })
})

const readable = (folder: string): ReadonlyArray<string> => readdirSync(folder).sort()
