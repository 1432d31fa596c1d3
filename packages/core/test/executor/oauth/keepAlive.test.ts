/** Refreshing in the background: before anybody calls, for every user, until it is stopped. */
import { type ExecutorEvent, type Store, StoreUnavailableError } from "@keyward/core"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { connectAccount } from "./account.ts"
import { steppingProvider, steppingStore } from "./faultyStage.ts"

/** Resolves with the first event of a kind that comes from now on. */
const nextEvent = () => {
  const waiting: Array<{ readonly type: string; readonly resolve: (event: ExecutorEvent) => void }> = []
  return {
    onEvent: (event: ExecutorEvent) => {
      for (const { type, resolve } of waiting) if (type === event.type) resolve(event)
    },
    wait: (type: ExecutorEvent["type"]) => new Promise<ExecutorEvent>((resolve) => waiting.push({ type, resolve })),
  }
}

describe("keepAlive", () => {
  it("refreshes a token that runs out soon, whoever's it is", async () => {
    const watch = nextEvent()
    const account = await connectAccount()
    const organisation = await account.another({ subject: undefined, onEvent: watch.onEvent })
    await account.expire()
    const refreshed = watch.wait("credential.refreshed")
    await using _background = organisation.oauth.keepAlive({ everyMs: 10 })
    expect(await refreshed).toMatchObject({ connection: "tools.files.user.main", subject: "alice" })
    expect((await account.call()).ok).toBe(true)
    expect(account.refreshes()).toBe(1)
  })

  it("leaves fresh tokens alone, and stops when it is told to", async () => {
    const watch = nextEvent()
    const account = await connectAccount({ config: { onEvent: watch.onEvent } })
    const background = account.executor.oauth.keepAlive({ everyMs: 5 })
    await account.expire()
    await watch.wait("credential.refreshed")
    await background.stop()
    await account.expire()
    // A call refreshes by itself what the background no longer does.
    expect((await account.call()).ok).toBe(true)
    expect(account.refreshes()).toBe(2)
  })

  it("ends with its executor", async () => {
    const account = await connectAccount()
    // What the two share is not closed with one of them.
    const other = await account.another({
      store: steppingStore(account.store, () => Effect.void),
      providers: [steppingProvider(account.provider, () => Effect.void)],
    })
    other.oauth.keepAlive({ everyMs: 1 })
    await other.close()
    await account.expire()
    expect((await account.call()).ok).toBe(true)
    expect(account.refreshes()).toBe(1)
  })

  it("goes on after a failure", async () => {
    const watch = nextEvent()
    const account = await connectAccount({ config: { onEvent: watch.onEvent } })
    await account.expire()
    account.server.next("token", { fault: "answer", status: 503 }, { fault: "answer", status: 503 })
    const failed = watch.wait("credential.refresh_failed")
    const refreshed = watch.wait("credential.refreshed")
    await using _background = account.executor.oauth.keepAlive({ everyMs: 20 })
    await failed
    await refreshed
    expect((await account.call()).ok).toBe(true)
  })
})

describe("keepAlive of several processes", () => {
  /** A store that says which connections were read to be refreshed; the row is read once by whoever claimed it. */
  const watched = (store: Store) => {
    const turns: Array<string> = []
    const { connections } = store
    const get: typeof connections.get = (key, reading) => {
      if (reading === undefined) turns.push(key.name)
      return connections.get(key, reading)
    }
    return {
      turns,
      store: { ...store, connections: { ...connections, get }, close: () => Effect.void } satisfies Store,
    }
  }

  const manyAccounts = async (count: number) => {
    const account = await connectAccount()
    const row = await account.row()
    const names = Array.from({ length: count }, (_, index) => `account${String(index).padStart(3, "0")}`)
    const { grant } = row
    if (grant === null) throw new Error("The row has no grant.")
    for (const [index, name] of names.entries()) {
      // Without a refresh token among the items each fails for good, at once and without a request.
      const due = { ...row, name, expiresAt: Date.now() - 100_000 + index, grant: { ...grant, id: name } }
      await Effect.runPromise(account.store.connections.put(due, 0))
    }
    return { account, names }
  }

  it("has each connection refreshed by one of them", async () => {
    const { account, names } = await manyAccounts(60)
    const stages = [watched(account.store), watched(account.store)]
    const expired = new Set<string>()
    const done = Promise.withResolvers<void>()
    const backgrounds = await Promise.all(
      stages.map(async ({ store }) => {
        const other = await account.another({
          store,
          providers: [steppingProvider(account.provider, () => Effect.yieldNow)],
          onEvent: (event) => {
            if (event.type === "connection.expired") expired.add(event.connection)
            if (expired.size === names.length) done.resolve()
          },
        })
        return other.oauth.keepAlive({ everyMs: 60_000, concurrency: 2 })
      }),
    )
    await done.promise
    for (const background of backgrounds) await background.stop()
    const [one, other] = stages.map(({ turns }) => new Set(turns))
    if (one === undefined || other === undefined) throw new Error("Nobody looked.")
    expect(
      [...one].filter((name) => other.has(name)),
      "Nobody does what another does.",
    ).toEqual([])
    expect(one.size + other.size).toBe(names.length)
    expect(Math.min(one.size, other.size), "Both work.").toBeGreaterThan(0)
    expect([...one][0] === names[0] || [...other][0] === names[0], "The soonest first.").toBe(true)
  })

  it("lets the rest have their turn when a thousand that run out sooner fail again and again", async () => {
    const watch = nextEvent()
    const { account } = await manyAccounts(0)
    const row = await account.row()
    const { grant } = row
    if (grant === null) throw new Error("The row has no grant.")
    const real = account.store
    const failing = new Set<string>()
    for (let index = 0; index < 1000; index += 1) {
      const name = `failing${index}`
      failing.add(name)
      const soonest = { ...row, name, expiresAt: 1000 + index, grant: { ...grant, id: name } }
      await Effect.runPromise(real.connections.put(soonest, 0))
    }
    const broken = new StoreUnavailableError({ operation: "read a connection", reason: "broken" })
    const get: typeof real.connections.get = (key, reading) =>
      failing.has(key.name) ? Effect.fail(broken) : real.connections.get(key, reading)
    const store: Store = { ...real, connections: { ...real.connections, get }, close: () => Effect.void }
    const other = await account.another({ store, onEvent: watch.onEvent })
    await account.expire()
    const refreshed = watch.wait("credential.refreshed")
    await using _background = other.oauth.keepAlive({ everyMs: 500 })
    expect(await refreshed).toMatchObject({ connection: "tools.files.user.main" })
  })
})
