/**
 * Processes that are missed while they refresh: they stand still for longer than their lease, or are cut off from their store with the
 * new tokens in hand. Who waits for them has a lease that they have lost: one of its own.
 */
import { memoryStore, type Store, StoreUnavailableError } from "@keyward/core"
import type { HeldLease } from "@keyward/core/effect"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { eventually } from "../../../eventually.ts"
import { connectAccount, failureOf } from "../account.ts"
import type { Step } from "../faultyStage.ts"
import { missForLong, rowOf, stagedAccount } from "../stagedAccount.ts"

const address = "tools.files.user.main.whoami"

/** The same records, and a lease that nobody else knows: that of before is lost. */
const withOwnLease = (store: Store): Store => ({ ...store, lease: memoryStore().lease })

/** A lease that is always to be had, and lost whenever a test says so. */
const withLease = (store: Store, isHeld: HeldLease["isHeld"]): Store => ({
  ...store,
  lease: { hold: (_, use) => use({ isHeld, now: Clock.currentTimeMillis }) },
})

const isMissed = (store: Store): Promise<void> =>
  eventually(async () => expect((await rowOf(store)).grant?.intent?.missedAt).toBeDefined())

/** A store and its table of secrets that cannot be written any more once an intent is. */
const awayAfterTheIntent = (): Step => {
  let puts = 0
  return (operation) =>
    Effect.suspend(() => {
      if (operation === "connections.put") puts += 1
      const isAway = operation === "provider.set" || (operation === "connections.put" && puts > 1)
      return isAway ? Effect.fail("fail" as const) : Effect.void
    })
}

/** A call whose request has been processed, and whose answer does not arrive before it is let go. */
const stoppedAfterSending = async (account: Awaited<ReturnType<typeof stagedAccount>>, isProcessed = true) => {
  await account.expire()
  const goingOn = Promise.withResolvers<void>()
  account.server.next("token", { fault: "hold", until: goingOn.promise, isProcessed })
  const call = account.call()
  await account.server.received("token", 2)
  return { call, goOn: () => goingOn.resolve() }
}

describe("a store that goes away while an answer is on the way", () => {
  it("does not keep callers, and nobody else gets the lease before the tokens are written", async () => {
    const account = await stagedAccount()
    const other = await account.another({ store: account.real.store, providers: [account.real.provider] })
    await account.expire()
    account.control.use(awayAfterTheIntent())
    expect((await account.call()).ok).toBe(true)
    let isAnswered = false
    const others = other.execute(address).finally(() => (isAnswered = true))
    // From memory: a refresh would have to wait for the lease.
    expect((await account.call()).ok).toBe(true)
    expect(account.events.filter(({ type }) => type === "credential.unsaved")).toHaveLength(1)
    expect((await rowOf(account.real.store)).grant?.intent).toMatchObject({ state: "sent" })
    expect(isAnswered).toBe(false)
    account.control.use(() => Effect.void)
    expect((await others).ok).toBe(true)
    expect((await rowOf(account.real.store)).grant?.intent).toBeNull()
    expect(account.refreshes()).toBe(1)
    expect(account.server.reuses).toBe(0)
  })

  it("costs nothing when the lease has run out meanwhile: whoever has it next waits", async () => {
    const account = await stagedAccount()
    const { store, provider } = account.real
    const other = await account.another({ store: withOwnLease(store), providers: [provider] })
    await account.expire()
    account.control.use(awayAfterTheIntent())
    expect((await account.call()).ok).toBe(true)
    const others = other.execute(address)
    await isMissed(store)
    account.control.use(() => Effect.void)
    expect((await others).ok).toBe(true)
    expect(account.refreshes()).toBe(1)
    expect(account.server.reuses).toBe(0)
  })

  it("tells callers to try again when what could not be written has run out too", async () => {
    const account = await stagedAccount()
    await account.expire()
    account.control.use(awayAfterTheIntent())
    expect((await account.call()).ok).toBe(true)
    account.server.expireAccessTokens()
    expect(failureOf(await account.call())).toMatchObject({
      code: "oauth_refresh_failed",
      retryable: true,
      details: { reason: "store_unavailable" },
    })
    expect(account.refreshes()).toBe(1)
    account.control.use(() => Effect.void)
    await account.executor.close()
    const third = await account.another({ store: account.real.store, providers: [account.real.provider] })
    expect((await third.execute(address)).ok).toBe(true)
    expect(account.server.reuses).toBe(0)
  })

  it("loses nothing when the executor is closed while it is still away, and back for the last attempt", async () => {
    const account = await stagedAccount()
    await account.expire()
    account.control.use(awayAfterTheIntent())
    expect((await account.call()).ok).toBe(true)
    account.control.use(() => Effect.void)
    await account.executor.close()
    expect((await rowOf(account.real.store)).grant?.intent).toBeNull()
  })
})

describe("a store that fails before the request", () => {
  it("has the intent taken back that it wrote without saying so", async () => {
    const store = memoryStore()
    let isAnswerLost = false
    const { connections } = store
    const account = await connectAccount({
      store: {
        ...store,
        connections: {
          ...connections,
          list: (query) => connections.list(query),
          get: (key) => connections.get(key),
          put: (row, expected) =>
            Effect.flatMap(connections.put(row, expected), (isWritten) => {
              if (!isAnswerLost) return Effect.succeed(isWritten)
              isAnswerLost = false
              return Effect.fail(new StoreUnavailableError({ operation: "write a row", reason: "connection_lost" }))
            }),
        },
      },
    })
    await account.expire()
    isAnswerLost = true
    expect(failureOf(await account.call())).toMatchObject({ details: { reason: "store_unavailable" } })
    expect(account.refreshes()).toBe(0)
    await eventually(async () => expect((await rowOf(store)).grant?.intent).toBeNull())
    expect((await account.call()).ok).toBe(true)
    expect(account.refreshes()).toBe(1)
  })

  it("is not sent a request whose answer could not be kept", async () => {
    const store = memoryStore()
    let isAway = false
    const away = new StoreUnavailableError({ operation: "check a lease", reason: "ECONNREFUSED" })
    const isHeld = Effect.suspend(() => (isAway ? Effect.fail(away) : Effect.succeed(true)))
    const account = await connectAccount({ store: withLease(store, isHeld) })
    await account.expire()
    isAway = true
    expect(failureOf(await account.call())).toMatchObject({ details: { reason: "store_unavailable" } })
    expect(account.refreshes()).toBe(0)
    isAway = false
    await eventually(async () => expect((await rowOf(store)).grant?.intent).toBeNull())
    expect((await account.call()).ok).toBe(true)
  })
})

describe("a process that stood still for longer than its lease", () => {
  it("loses its turn and no call when it stood still before the request", async () => {
    let asked = 0
    const isHeld = Effect.sync(() => (asked += 1) > 1)
    const account = await connectAccount({ store: withLease(memoryStore(), isHeld) })
    await account.expire()
    expect((await account.call()).ok).toBe(true)
    expect(account.refreshes()).toBe(1)
    expect(account.events.map(({ type }) => type)).not.toContain("credential.refresh_failed")
  })

  it("is waited for with the answer that it has not read yet", async () => {
    const account = await stagedAccount()
    const { store, provider } = account.real
    const other = await account.another({ store: withOwnLease(store), providers: [provider] })
    const { call, goOn } = await stoppedAfterSending(account)
    const others = other.execute(address)
    await isMissed(store)
    goOn()
    expect([(await call).ok, (await others).ok]).toEqual([true, true])
    expect(account.refreshes()).toBe(1)
    expect(account.server.reuses).toBe(0)
  })

  it("and for longer than anybody waits: a strict server's grant is lost, and everybody says why", async () => {
    const account = await stagedAccount()
    const { store, provider } = account.real
    const other = await account.another({ store: withOwnLease(store), providers: [provider] })
    const { call, goOn } = await stoppedAfterSending(account)
    await missForLong(store)
    expect(failureOf(await other.execute(address))).toMatchObject({
      code: "oauth_reauth_required",
      details: { reason: "rotation_lost" },
    })
    goOn()
    // Its own tokens are written and tried, since some servers would still take them.
    expect(failureOf(await call)).toMatchObject({ details: { reason: "rotation_lost" } })
    expect(account.events.map(({ type }) => type)).toContain("credential.refreshed")
    expect(failureOf(await other.execute(address))).toMatchObject({ details: { reason: "rotation_lost" } })
    expect(await rowOf(store)).toMatchObject({ status: "expired", statusReason: "rotation_lost" })
  })

  it("and for longer than anybody waits: with a grace window nothing is lost, and the later answer is not written", async () => {
    const account = await stagedAccount({ server: { rotation: "grace" } })
    const { store, provider } = account.real
    const other = await account.another({ store: withOwnLease(store), providers: [provider] })
    const { call, goOn } = await stoppedAfterSending(account)
    await missForLong(store)
    expect((await other.execute(address)).ok).toBe(true)
    const { grant } = await rowOf(store)
    goOn()
    expect((await call).ok).toBe(true)
    expect((await rowOf(store)).grant?.issuedAt).toBe(grant?.issuedAt)
    expect(account.refreshes()).toBe(2)
  })

  it("and sends what another has replaced meanwhile: the refusal that follows is not taken for a person's", async () => {
    const account = await stagedAccount()
    const { store, provider } = account.real
    const other = await account.another({ store: withOwnLease(store), providers: [provider] })
    const { call, goOn } = await stoppedAfterSending(account, false)
    await missForLong(store)
    expect((await other.execute(address)).ok).toBe(true)
    goOn()
    await call
    expect(failureOf(await other.execute(address))).toMatchObject({ details: { reason: "rotation_lost" } })
    expect(await rowOf(store)).toMatchObject({ status: "expired", statusReason: "rotation_lost" })
  })

  it("writes nothing beside whoever has the lease and sends the token now", async () => {
    const store = memoryStore()
    let isHeld = true
    const account = await stagedAccount({
      store: withLease(
        store,
        Effect.sync(() => isHeld),
      ),
    })
    const { call, goOn } = await stoppedAfterSending(account)
    isHeld = false
    const row = await rowOf(store)
    if (row.grant?.intent == null) throw new Error("The row has no intent.")
    const grant = { ...row.grant, intent: { ...row.grant.intent, id: "other" } }
    await Effect.runPromise(store.connections.put({ ...row, grant, version: row.version + 1 }, row.version))
    const writes: Array<string> = []
    account.control.use((operation) =>
      Effect.sync(() => {
        if (operation === "provider.set" || operation === "connections.put") writes.push(operation)
      }),
    )
    goOn()
    expect((await call).ok).toBe(true)
    expect(writes).toEqual([])
    expect((await rowOf(store)).grant?.intent).toMatchObject({ id: "other", state: "sent" })
  })
})

describe("a process that stood still between the write of its tokens and that of the row", () => {
  /** A refresh whose tokens are stored, and whose row is not written before it is let go. */
  const stoppedBeforeTheRow = async (account: Awaited<ReturnType<typeof stagedAccount>>) => {
    await account.expire()
    const [reached, goingOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let puts = 0
    account.control.use((operation) =>
      Effect.suspend(() => {
        if (operation !== "connections.put" || (puts += 1) !== 2) return Effect.void
        reached.resolve()
        return Effect.promise(() => goingOn.promise)
      }),
    )
    const call = account.call()
    await reached.promise
    return { call, goOn: () => goingOn.resolve() }
  }

  const stagedTwo = async () => {
    const account = await stagedAccount()
    const { store, provider } = account.real
    return { account, store, other: await account.another({ store: withOwnLease(store), providers: [provider] }) }
  }

  it("is waited for, and what it wrote is used by everybody", async () => {
    const { account, store, other } = await stagedTwo()
    const { call, goOn } = await stoppedBeforeTheRow(account)
    const others = other.execute(address)
    await isMissed(store)
    goOn()
    expect([(await call).ok, (await others).ok]).toEqual([true, true])
    expect(account.refreshes()).toBe(1)
  })

  it("for longer than anybody waits: another goes on from what it stored, and its row comes too late", async () => {
    const { account, store, other } = await stagedTwo()
    const { call, goOn } = await stoppedBeforeTheRow(account)
    await missForLong(store)
    expect((await other.execute(address)).ok).toBe(true)
    const { grant } = await rowOf(store)
    goOn()
    expect((await call).ok).toBe(true)
    expect((await rowOf(store)).grant?.issuedAt).toBe(grant?.issuedAt)
    await account.expire()
    expect((await other.execute(address)).ok).toBe(true)
    expect(account.server.reuses).toBe(0)
  })

  it("and writes it while another spends what it stored: the other's tokens are their successors, and are kept", async () => {
    const { account, store, other } = await stagedTwo()
    const { call, goOn } = await stoppedBeforeTheRow(account)
    await missForLong(store)
    const answered = Promise.withResolvers<void>()
    account.server.next("token", { fault: "hold", until: answered.promise, isProcessed: true })
    const others = other.execute(address)
    await account.server.received("token", 3)
    goOn()
    expect((await call).ok).toBe(true)
    answered.resolve()
    expect((await others).ok).toBe(true)
    expect((await rowOf(store)).status).toBe("active")
    await account.expire()
    expect((await other.execute(address)).ok).toBe(true)
    expect(account.refreshes()).toBe(3)
    expect(account.server.reuses).toBe(0)
  })
})

describe("word of tokens that cannot be written", () => {
  it("is left on one's own intent only", async () => {
    const account = await stagedAccount()
    const { store } = account.real
    const { call, goOn } = await stoppedAfterSending(account)
    account.control.use((operation) =>
      operation !== "provider.set"
        ? Effect.void
        : Effect.andThen(
            Effect.promise(async () => {
              const row = await rowOf(store)
              if (row.grant?.intent == null || row.grant.intent.id === "other") return
              const grant = { ...row.grant, intent: { ...row.grant.intent, id: "other" } }
              await Effect.runPromise(store.connections.put({ ...row, grant, version: row.version + 1 }, row.version))
            }),
            Effect.fail("fail" as const),
          ),
    )
    goOn()
    expect((await call).ok).toBe(true)
    expect((await rowOf(store)).grant?.intent).toMatchObject({ id: "other", state: "sent" })
  })
})
