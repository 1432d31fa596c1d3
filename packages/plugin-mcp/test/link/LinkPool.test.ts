/**
 * The pool by itself: clients whose connection somebody else removed, and clients that are still called when they are of no more use.
 */
import { describe, expect, it, onTestFinished } from "vitest"
import { LinkPool } from "../../src/link/LinkPool.ts"
import type { McpLink } from "../../src/link/McpLink.ts"

/** As much of a client as the pool knows of. */
class Link {
  load = 0
  isClosed = false
  #tell: (() => void) | undefined

  whenUnused(tell: () => void): void {
    this.#tell = tell
  }

  finish(): void {
    this.load = 0
    this.#tell?.()
  }

  async close(): Promise<void> {
    this.isClosed = true
  }
}

const setUp = async (isCurrent: () => Promise<boolean>) => {
  const pool = new LinkPool({ mostLinks: 10, idleMs: 1_000_000, checkMs: 1 })
  onTestFinished(() => pool.close())
  const link = new Link()
  const maker = {
    variant: "first",
    connection: "main",
    connect: async () => link as unknown as McpLink,
    isCurrent,
    isGivenUp: () => false,
    sharesFailures: false,
  }
  await pool.get("alice", maker)
  return { pool, link, maker }
}

describe("a client whose connection somebody else removed", () => {
  it("is closed at the next look", async () => {
    let isCurrent = true
    const { pool, link } = await setUp(async () => isCurrent)
    expect(pool.connected("alice", "first")).toBe(link)
    isCurrent = false
    await expect.poll(() => link.isClosed).toBe(true)
    expect(pool.connected("alice", "first")).toBeUndefined()
  })

  it("is kept while that cannot be found out", async () => {
    let asked = 0
    const { link } = await setUp(() => {
      asked += 1
      return Promise.reject(new Error("The store is away."))
    })
    await expect.poll(() => asked).toBeGreaterThan(2)
    expect(link.isClosed).toBe(false)
  })
})

describe("a client that is of no more use", () => {
  it("is closed when its last call has ended", async () => {
    const { pool, link } = await setUp(async () => true)
    link.load = 1
    await pool.release("main")
    expect(link.isClosed).toBe(false)
    expect(pool.connected("alice", "first")).toBeUndefined()
    link.finish()
    expect(link.isClosed).toBe(true)
  })

  it("serves whoever waited for it while it was connecting", async () => {
    const { pool, maker } = await setUp(async () => true)
    const link = new Link()
    const connecting = Promise.withResolvers<McpLink>()
    const waiting = pool.get("bob", { ...maker, connect: () => connecting.promise }).then((handed) => {
      link.load = 1
      return handed
    })
    const released = pool.release("main")
    connecting.resolve(link as unknown as McpLink)
    expect(await waiting).toBe(link)
    await released
    expect(link.isClosed).toBe(false)
    link.finish()
    expect(link.isClosed).toBe(true)
  })

  it("is not taken for one of another connection", async () => {
    const { pool, link } = await setUp(async () => true)
    await pool.release("other")
    expect(pool.connected("alice", "first")).toBe(link)
    await pool.release("main")
    expect(link.isClosed).toBe(true)
  })

  it("is closed with the pool although it is called", async () => {
    const { pool, link } = await setUp(async () => true)
    link.load = 1
    await pool.release("main")
    await pool.close()
    expect(link.isClosed).toBe(true)
  })
})
