/** What lies around the file: permissions, owners, links, missing pieces, and a whole file put back. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import {
  CorruptHeaderError,
  UnsafeVaultError,
  type VaultAnchor,
  VaultRolledBackError,
  type VaultState,
} from "@keyward/provider-encrypted-file"
import { describe, expect, it, vi } from "vitest"
import { key, vaultFolder } from "./support/vaultFolder.ts"

const modeOf = (path: string): number => statSync(path).mode & 0o777

describe("opening a vault", () => {
  it("creates its folders with mode 0700 and its files with mode 0600, whatever the umask", async () => {
    const { folder, open } = vaultFolder()
    const path = join(folder, "deep", "er", "vault")
    const umask = process.umask(0)
    try {
      await open({ path }).set("a", "one")
    } finally {
      process.umask(umask)
    }
    expect([join(folder, "deep"), join(folder, "deep", "er")].map(modeOf)).toEqual([0o700, 0o700])
    expect([path, `${path}.lock`].map(modeOf)).toEqual([0o600, 0o600])
  })

  it("narrows a file that others may read or write", async () => {
    const { open, path } = vaultFolder()
    await open().set("a", "one")
    for (const mode of [0o644, 0o666, 0o640, 0o601]) {
      chmodSync(path, mode)
      expect(await open().get("a")).toBe("one")
      expect(modeOf(path)).toBe(0o600)
    }
  })

  it("takes the write permission of a group off its folder, and leaves the rest", async () => {
    const { open, folder } = vaultFolder()
    await open().set("a", "one")
    chmodSync(folder, 0o775)
    expect(await open().get("a")).toBe("one")
    expect(modeOf(folder)).toBe(0o755)
  })

  it("refuses a folder that every user may write, for reading and for writing", async () => {
    const { open, folder } = vaultFolder()
    await open().set("a", "one")
    for (const mode of [0o777, 0o1777]) {
      chmodSync(folder, mode)
      await expect(open().get("a")).rejects.toBeInstanceOf(UnsafeVaultError)
      await expect(open().set("a", "two")).rejects.toBeInstanceOf(UnsafeVaultError)
    }
    chmodSync(folder, 0o700)
    expect(await open().get("a")).toBe("one")
  })

  it("refuses a symbolic link, and follows none that takes the file's place", async () => {
    const { open, path, folder } = vaultFolder()
    const opened = open()
    await opened.set("a", "one")
    renameSync(path, join(folder, "real"))
    symlinkSync(join(folder, "real"), path)
    for (const { get, set } of [opened, open()]) {
      await expect(get("a")).rejects.toBeInstanceOf(UnsafeVaultError)
      await expect(set("a", "two")).rejects.toBeInstanceOf(UnsafeVaultError)
    }
  })

  it("refuses a folder in the file's place", async () => {
    const { open, path } = vaultFolder()
    mkdirSync(path)
    await expect(open().get("a")).rejects.toBeInstanceOf(UnsafeVaultError)
    await expect(open().set("a", "one")).rejects.toBeInstanceOf(UnsafeVaultError)
  })

  it("refuses a file of another user", async () => {
    const { open } = vaultFolder()
    await open().set("a", "one")
    const spy = vi.spyOn(process, "geteuid").mockReturnValue(54_321)
    try {
      await expect(open().get("a")).rejects.toBeInstanceOf(UnsafeVaultError)
      await expect(open().set("a", "two")).rejects.toBeInstanceOf(UnsafeVaultError)
    } finally {
      spy.mockRestore()
    }
    expect(await open().get("a")).toBe("one")
  })

  it("never takes an empty, foreign or cut file for a new vault", async () => {
    const { open, replace, read } = vaultFolder()
    await open().set("a", "one")
    const file = read()
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.alloc(9000),
      Buffer.from("{}\n"),
      file.subarray(0, 100),
      file.subarray(0, 4096),
    ]) {
      replace(bytes)
      await expect(open().get("a")).rejects.toBeInstanceOf(CorruptHeaderError)
      await expect(open().set("a", "two")).rejects.toBeInstanceOf(CorruptHeaderError)
      await expect(open().ids()).rejects.toBeInstanceOf(CorruptHeaderError)
      expect(read().equals(bytes)).toBe(true)
    }
  })

  it("does not begin anew when the file is gone and a former generation is left, or it was open before", async () => {
    const { open, path, read } = vaultFolder()
    const opened = open()
    await opened.set("a", "one")
    const file = read()
    rmSync(path)
    await expect(opened.get("a")).rejects.toMatchObject({ reason: "missing" })
    await expect(opened.set("a", "two")).rejects.toMatchObject({ reason: "missing" })
    expect(existsSync(path)).toBe(false)
    writeFileSync(`${path}.previous`, file, { mode: 0o600 })
    await expect(open().set("a", "two")).rejects.toMatchObject({ reason: "missing" })
    renameSync(`${path}.previous`, path)
    expect(await opened.get("a")).toBe("one")
  })

  it("clears away what a killed writer left behind", async () => {
    const { open, path, folder } = vaultFolder()
    writeFileSync(`${path}.next`, "half a file")
    const { set, provider } = open()
    await set("a", "one")
    writeFileSync(`${path}.next`, "half a file")
    await provider.rotateDataKey()
    expect(readdirSync(folder).sort()).toEqual(["vault", "vault.lock"])
  })

  it("says which system call failed without repeating anything else", async () => {
    const { open, folder } = vaultFolder()
    writeFileSync(join(folder, "file"), "")
    await expect(open({ path: join(folder, "file", "vault") }).set("a", "one")).rejects.toMatchObject({
      _tag: "ProviderUnavailableError",
      reason: "io",
    })
  })
})

describe("an older copy of the whole file", () => {
  const remembering = (): { readonly anchor: VaultAnchor; readonly states: Array<VaultState> } => {
    const states: Array<VaultState> = []
    return {
      states,
      anchor: { read: () => Promise.resolve(states.at(-1)), write: async (state) => void states.push(state) },
    }
  }

  it("is noticed by a process that has seen a newer one", async () => {
    const { open, read, replace } = vaultFolder()
    const { set, get } = open()
    await set("a", "old")
    const old = read()
    await set("a", "new")
    replace(old)
    await expect(get("a")).rejects.toBeInstanceOf(VaultRolledBackError)
    await expect(set("a", "newer")).rejects.toBeInstanceOf(VaultRolledBackError)
  })

  it("is noticed after a restart with an anchor, and only with one", async () => {
    const { open, read, replace } = vaultFolder()
    const { anchor, states } = remembering()
    const first = open({ anchor })
    await first.set("a", "old")
    const old = read()
    await first.set("a", "new")
    await first.close()
    expect(states.map(({ seq }) => seq)).toEqual([0, 1, 2])
    expect(await open({ anchor }).get("a")).toBe("new")
    replace(old)
    await expect(open({ anchor }).get("a")).rejects.toBeInstanceOf(VaultRolledBackError)
    expect(await open().get("a")).toBe("old")
  })

  it("is noticed when it is another vault, or none at all", async () => {
    const { open, replace, path } = vaultFolder()
    const other = vaultFolder()
    await other.open().set("a", "other")
    const { anchor } = remembering()
    await open({ anchor }).set("a", "one")
    replace(other.read())
    await expect(open({ anchor }).get("a")).rejects.toBeInstanceOf(VaultRolledBackError)
    rmSync(path)
    await expect(open({ anchor }).get("a")).rejects.toMatchObject({ reason: "missing" })
  })

  it("cannot be told when the anchor fails, which is said, and the write stands", async () => {
    const { open } = vaultFolder()
    const failing: VaultAnchor = {
      read: () => Promise.resolve(undefined),
      write: () => Promise.reject(new Error("anchor is away")),
    }
    await open().set("a", "one")
    await expect(open({ anchor: failing }).set("a", "two")).rejects.toMatchObject({ reason: "anchor" })
    expect(await open({ key }).get("a")).toBe("two")
  })
})
