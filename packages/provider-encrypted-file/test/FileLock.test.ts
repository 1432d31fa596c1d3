/** Several writers, in one process and in many, some of which stop or are killed. All processes and files are real. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { copyFileSync, existsSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { inspectVault, UnsafeVaultError, VaultLockedError } from "@keyward/provider-encrypted-file"
import { describe, expect, it, onTestFinished } from "vitest"
import { FileLock } from "../src/FileLock.ts"
import { key, vaultFolder } from "./support/vaultFolder.ts"

describe("writers of one vault", { timeout: 60_000 }, () => {
  it("lose nothing when many write at once in many processes", async () => {
    const { path, open } = vaultFolder()
    const workers = ["one", "two", "three", "four"].map((prefix) => work(path, "write", prefix, "50"))
    const { set } = open({ lockTimeoutMs: 60_000 })
    for (let index = 0; index < 50; index++) await set(`here ${index}`, `value of here ${index}`)
    for (const worker of workers) expect(await worker.exit).toBe(0)
    const { get, ids } = open()
    expect(await ids()).toHaveLength(250)
    for (const prefix of ["one", "two", "three", "four", "here"]) {
      for (let index = 0; index < 50; index++)
        expect(await get(`${prefix} ${index}`)).toBe(`value of ${prefix} ${index}`)
    }
  })

  it("lose nothing when many providers of one process write at once", async () => {
    const { open } = vaultFolder()
    const writers = Array.from({ length: 5 }, () => open())
    await Promise.all(
      writers.flatMap(({ set }, writer) =>
        Array.from({ length: 20 }, (_, index) => set(`${writer} ${index}`, "value")),
      ),
    )
    expect(await open().ids()).toHaveLength(100)
  })

  it("are seen by readers at once, in other providers and from other processes", async () => {
    const { path, open } = vaultFolder()
    const [reader, writer] = [open(), open()]
    expect(await reader.get("a")).toBeUndefined()
    await writer.set("a", "one")
    expect(await reader.get("a")).toBe("one")
    await writer.set("a", "two")
    expect(await reader.get("a")).toBe("two")
    await writer.delete("a")
    expect(await reader.get("a")).toBeUndefined()
    expect(await work(path, "write", "other", "1").exit).toBe(0)
    expect(await reader.get("other 0")).toBe("value of other 0")
  })

  it("are let in as soon as the holder is killed", async () => {
    const { path, open } = vaultFolder()
    const { set, get } = open({ lockTimeoutMs: 15_000 })
    await set("before", "1")
    const holder = work(path, "hold", "held")
    await holder.says("holding")
    const waiting = set("after", "2")
    holder.process.kill("SIGKILL")
    await waiting
    expect(await get("after")).toBe("2")
    expect(await get("held")).toBe("value of held")
  })

  it("wait for a holder whose event loop stalls, and never write beside it", async () => {
    const { path, open } = vaultFolder()
    const { set, ids } = open({ lockTimeoutMs: 15_000 })
    await set("before", "1")
    const holder = work(path, "stall", "stalled", "1500")
    await holder.says("holding")
    const order: Array<string> = []
    const waiting = set("after", "2").then(() => order.push("let in"))
    await holder.says("going on")
    order.unshift("gone on")
    await waiting
    expect(order).toEqual(["gone on", "let in"])
    expect(await holder.exit).toBe(0)
    expect(await ids()).toEqual(["after", "before", "stalled"])
  })

  it("are told when the lock stays taken, and readers are not held up", async () => {
    const { path, open } = vaultFolder()
    const { set, get } = open({ lockTimeoutMs: 100 })
    await set("before", "1")
    const holder = work(path, "hold", "held")
    await holder.says("holding")
    await expect(set("after", "2")).rejects.toBeInstanceOf(VaultLockedError)
    await expect(open({ lockTimeoutMs: 100 }).set("after", "2")).rejects.toMatchObject({
      _tag: "ProviderUnavailableError",
    })
    expect(await get("before")).toBe("1")
    expect(await open().get("before")).toBe("1")
    holder.process.kill("SIGKILL")
  })

  it("may be copied at any moment, and a copy that verifies opens with what was acknowledged before", async () => {
    const { path, open, folder } = vaultFolder()
    const writer = work(path, "write", "copied", "0")
    for (let copy = 0; copy < 12; copy++) {
      await writer.says(`stored copied ${copy * 4}`)
      const acknowledged = writer.said.length
      const copied = join(folder, `copy-${copy}`)
      // A copy takes as many bytes as there were when it began; one that a write overtook shows that, and is made again.
      const isWhole = async (): Promise<boolean> => {
        copyFileSync(path, copied)
        return (await inspectVault(copied, { key })).verified?.damagedRecords === 0
      }
      for (let attempt = 1; !(await isWhole()); attempt += 1) expect(attempt).toBeLessThan(5)
      expect((await open({ path: copied }).ids()).length).toBeGreaterThanOrEqual(acknowledged)
    }
    writer.process.kill("SIGKILL")
  })

  it("lose no acknowledged write when they are killed at any moment", async () => {
    const { path, open } = vaultFolder()
    for (let round = 0; round < 6; round++) {
      const writer = work(path, "write", `round ${round}`, "0")
      await writer.says(`stored round ${round} ${round * 3}`)
      writer.process.kill("SIGKILL")
      await writer.exit
      const acknowledged = writer.said.filter((line) => line.startsWith("stored ")).map((line) => line.slice(7))
      expect(acknowledged.length).toBeGreaterThan(round * 3)
      const { get, close } = open()
      for (const id of acknowledged) expect(await get(id)).toBe(`value of ${id}`)
      await close()
    }
    const { set, get } = open()
    await set("after all", "1")
    expect(await get("round 0 0")).toBe("value of round 0 0")
  })
})

describe("FileLock", () => {
  it("lets one holder in at a time, in order, among connections of one process", async () => {
    const { path } = vaultFolder()
    const locks = [0, 1, 2].map(() => new FileLock({ provider: "encrypted-file", path }, 5_000))
    const order: Array<string> = []
    await Promise.all(
      locks.map((lock, index) =>
        lock.hold(async () => {
          order.push(`in ${index}`)
          await new Promise((resolve) => setImmediate(resolve))
          order.push(`out ${index}`)
        }),
      ),
    )
    for (const lock of locks) lock.close()
    expect(order).toEqual(["in 0", "out 0", "in 1", "out 1", "in 2", "out 2"])
  })

  it("is free again after a holder that failed", async () => {
    const { path } = vaultFolder()
    const lock = new FileLock({ provider: "encrypted-file", path }, 1_000)
    await expect(lock.hold(() => Promise.reject(new Error("failed")))).rejects.toThrow("failed")
    expect(await lock.hold(() => Promise.resolve("held"))).toBe("held")
    lock.close()
  })

  it("leaves an empty file with mode 0600 and no journal", async () => {
    const { path } = vaultFolder()
    const lock = new FileLock({ provider: "encrypted-file", path }, 1_000)
    await lock.hold(async () => expect(existsSync(`${path}.lock-journal`)).toBe(false))
    lock.close()
    expect(statSync(`${path}.lock`)).toMatchObject({ size: 0 })
    expect(statSync(`${path}.lock`).mode & 0o777).toBe(0o600)
  })

  it("follows when its file was deleted or replaced", async () => {
    const { path } = vaultFolder()
    const [one, other] = [0, 1].map(() => new FileLock({ provider: "encrypted-file", path }, 200))
    await one?.hold(async () => undefined)
    rmSync(`${path}.lock`)
    await one?.hold(async () => expect(existsSync(`${path}.lock`)).toBe(true))
    writeFileSync(`${path}.lock.new`, "")
    renameSync(`${path}.lock.new`, `${path}.lock`)
    await other?.hold(async () => undefined)
    await one?.hold(async () => undefined)
    one?.close()
    other?.close()
  })

  it("refuses a symbolic link in its place", async () => {
    const { path, folder } = vaultFolder()
    symlinkSync(join(folder, "elsewhere"), `${path}.lock`)
    const lock = new FileLock({ provider: "encrypted-file", path }, 1_000)
    await expect(lock.hold(async () => undefined)).rejects.toBeInstanceOf(UnsafeVaultError)
    expect(existsSync(join(folder, "elsewhere"))).toBe(false)
  })
})

interface Worker {
  readonly process: ChildProcess
  readonly said: ReadonlyArray<string>
  readonly says: (line: string) => Promise<void>
  readonly exit: Promise<number | null>
}

const work = (path: string, ...job: ReadonlyArray<string>): Worker => {
  const child = spawn(
    process.execPath,
    ["--conditions=@keyward/source", fileURLToPath(new URL("support/worker.ts", import.meta.url)), path, ...job],
    {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NODE_OPTIONS: "--disable-warning=ExperimentalWarning" },
    },
  )
  const exit = once(child, "close").then(([code]) => code as number | null)
  onTestFinished(() => {
    child.kill("SIGKILL")
  })
  const said: Array<string> = []
  const lines = createInterface({ input: child.stdout })
  lines.on("line", (line) => said.push(line))
  return {
    process: child,
    said,
    says: async (wanted) => {
      while (!said.includes(wanted)) {
        const [line] = (await Promise.race([once(lines, "line"), exit.then(() => [undefined])])) as [string | undefined]
        if (line === undefined) throw new Error(`The worker ended without saying ${wanted}.`)
      }
    },
    exit,
  }
}
