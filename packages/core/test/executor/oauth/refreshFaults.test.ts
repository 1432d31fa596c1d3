/** Faults injected into refreshes: interruption at every step, providers and stores that fail, races, and the end of the power. */
import { createExecutor, memoryStore, type Store } from "@keyward/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { describe, expect, it, onTestFinished } from "vitest"
import { connectAccount, failureOf, resourcePlugin } from "./account.ts"
import { accountKey, missForLong, rowOf, stagedAccount } from "./stagedAccount.ts"

const address = "tools.files.user.main.whoami"

/** How many steps one refreshing call takes. */
const stepsOfARefresh = async (): Promise<number> => {
  const account = await stagedAccount()
  await account.expire()
  let count = 0
  account.control.use(() =>
    Effect.sync(() => {
      count += 1
    }),
  )
  await account.call()
  return count
}

describe("a caller who is interrupted at any step", () => {
  it("loses no rotated token", async () => {
    const steps = await stepsOfARefresh()
    expect(steps).toBeGreaterThan(8)
    const account = await stagedAccount()
    for (let at = 1; at <= steps; at += 1) {
      await account.expire()
      const controller = new AbortController()
      let count = 0
      account.control.use(() =>
        Effect.suspend(() => {
          count += 1
          if (count !== at) return Effect.void
          controller.abort(new Error("interrupted"))
          // The interruption arrives while this step is waiting.
          return Effect.yieldNow
        }),
      )
      await account.call(controller.signal).catch(() => undefined)
      account.control.use(() => Effect.void)
      expect(await account.call(), `interrupted at step ${at}`).toMatchObject({ ok: true })
      expect((await account.row()).grant?.intent, `interrupted at step ${at}`).toBeNull()
    }
    expect(account.server.reuses).toBe(0)
    expect(account.refreshes()).toBe(steps)
  })
})

describe("a provider that cannot write", () => {
  it("costs nothing: the new tokens are used, told of, and written when it can", async () => {
    const account = await stagedAccount()
    await account.expire()
    account.control.use((operation) => (operation === "provider.set" ? Effect.fail("fail") : Effect.void))
    expect((await account.call()).ok).toBe(true)
    expect((await account.call()).ok).toBe(true)
    expect(account.refreshes()).toBe(1)
    expect(account.events.filter(({ type }) => type === "credential.unsaved")).toHaveLength(1)
    account.control.use(() => Effect.void)
    await account.executor.close()
    const other = await createExecutor({
      subject: "alice",
      plugins: [resourcePlugin],
      providers: [account.real.provider],
      store: account.real.store,
      egress: { allowHosts: [account.server.host] },
    })
    onTestFinished(() => other.close())
    expect((await other.execute(address)).ok).toBe(true)
    expect(account.refreshes()).toBe(1)
    expect(account.server.reuses).toBe(0)
  })

  it("keeps other processes from the spent token while it holds the new one", async () => {
    const account = await stagedAccount()
    const other = await account.another({ store: account.real.store, providers: [account.real.provider] })
    await account.expire()
    account.control.use((operation) => (operation === "provider.set" ? Effect.fail("fail") : Effect.void))
    expect((await account.call()).ok).toBe(true)
    expect((await rowOf(account.real.store)).grant?.intent).toMatchObject({ state: "held" })
    expect(failureOf(await other.execute(address))).toMatchObject({
      code: "oauth_refresh_failed",
      retryable: true,
      details: { reason: "held_elsewhere" },
    })
    expect(account.refreshes()).toBe(1)
    account.control.use(() => Effect.void)
    await account.executor.close()
    expect((await rowOf(account.real.store)).grant?.intent).toBeNull()
    const third = await account.another({ store: account.real.store, providers: [account.real.provider] })
    expect((await third.execute(address)).ok).toBe(true)
    expect(account.server.reuses).toBe(0)
  })

  it("costs nothing when it dies between the two tokens", async () => {
    const account = await stagedAccount()
    await account.expire()
    let writes = 0
    account.control.use((operation) =>
      operation === "provider.set" && (writes += 1) === 2 ? Effect.fail("fail") : Effect.void,
    )
    expect((await account.call()).ok).toBe(true)
    const other = await account.another({ store: account.real.store, providers: [account.real.provider] })
    expect((await other.execute(address)).ok).toBe(true)
    expect(account.server.reuses).toBe(0)
  })
})

describe("a store that fails while tokens are written", () => {
  it.each([1, 2, 3])("keeps them in memory and writes them later (put %i)", async (failing) => {
    const account = await stagedAccount()
    await account.expire()
    let puts = 0
    account.control.use((operation) =>
      operation === "connections.put" && (puts += 1) === failing ? Effect.fail("fail") : Effect.void,
    )
    const results = [await account.call(), await account.call(), await account.call()]
    for (const result of results) {
      if (!result.ok) expect(result.error).toMatchObject({ code: "oauth_refresh_failed", retryable: true })
    }
    expect(results.at(-1)).toMatchObject({ ok: true })
    expect(account.server.reuses).toBe(0)
  })

  it("serves a good token while it cannot be reached at all", async () => {
    const account = await stagedAccount()
    const { grant } = await account.row()
    if (grant === null) throw new Error("The row has no grant.")
    const now = Date.now()
    await account.edit({ expiresAt: now + 50_000, grant: { ...grant, issuedAt: now - 3_600_000 } })
    account.control.use((operation) => (operation === "connections.put" ? Effect.fail("fail") : Effect.void))
    expect((await account.call()).ok).toBe(true)
    expect(account.refreshes()).toBe(0)
  })
})

/** What happens to a connection while the answer to its refresh is on the way. */
const whileRefreshing = async (change: (account: Awaited<ReturnType<typeof stagedAccount>>) => Promise<unknown>) => {
  const account = await stagedAccount()
  await account.expire()
  const released = Promise.withResolvers<void>()
  account.server.next("token", { fault: "hold", until: released.promise, isProcessed: true })
  const calling = account.call()
  await account.server.received("token", 2)
  await change(account)
  released.resolve()
  return { account, result: await calling }
}

describe("a connection that changes while it is refreshed", () => {
  it("is not resurrected when it was removed, and nothing of it is left", async () => {
    const { account, result } = await whileRefreshing(({ executor, ref }) => executor.connections.remove(ref))
    expect(result.ok).toBe(false)
    expect(await account.executor.connections.get(account.ref)).toBeNull()
    const { executor } = account
    await executor.close()
    const left = await Effect.runPromise(account.real.provider.list?.() ?? Effect.succeed([]))
    expect(left.filter(({ id }) => id.includes("oauth:user"))).toEqual([])
  })

  it("stays disabled, with the new tokens kept", async () => {
    const { account } = await whileRefreshing(({ executor, ref }) => executor.connections.disable(ref))
    expect(await account.executor.connections.get(account.ref)).toMatchObject({ status: "disabled" })
    await account.executor.connections.enable(account.ref)
    expect((await account.call()).ok).toBe(true)
    expect(account.refreshes()).toBe(1)
    expect(account.server.reuses).toBe(0)
  })

  it.each(["intent", "edit"] as const)(
    "can be disabled while a refresh writes its row, and not over somebody's edit: %s",
    async (write) => {
      const account = await stagedAccount()
      let isFirst = true
      account.control.use((operation) =>
        Effect.suspend(() => {
          if (operation !== "connections.put" || !isFirst) return Effect.void
          isFirst = false
          return Effect.promise(async () => {
            const row = await rowOf(account.real.store)
            if (row.grant === null) throw new Error("The row has no grant.")
            const intent = { id: "other", startedAt: 0, tokenHash: "hash", state: "sent" } as const
            const change = write === "intent" ? { grant: { ...row.grant, intent } } : { description: "edited" }
            const next = { ...row, ...change, version: row.version + 1 }
            await Effect.runPromise(account.real.store.connections.put(next, row.version))
          })
        }),
      )
      const disabling = account.executor.connections.disable(account.ref)
      if (write === "edit") {
        await expect(disabling).rejects.toMatchObject({ _tag: "ConnectionConflictError" })
      } else {
        expect(await disabling).toMatchObject({ status: "disabled" })
        expect((await rowOf(account.real.store)).grant?.intent).toMatchObject({ id: "other" })
      }
    },
  )

  it("keeps what was edited", async () => {
    const { account, result } = await whileRefreshing(({ executor, ref }) =>
      executor.connections.update(ref, { identityLabel: "Alice at work" }),
    )
    expect(result.ok).toBe(true)
    expect(await account.executor.connections.get(account.ref)).toMatchObject({ identityLabel: "Alice at work" })
  })

  it("keeps the tokens of a new authorization", async () => {
    const account = await stagedAccount()
    await account.expire()
    const released = Promise.withResolvers<void>()
    account.server.next("token", { fault: "hold", until: released.promise, isProcessed: true })
    const calling = account.call()
    await account.server.received("token", 2)
    const reconnecting = account.reconnect()
    released.resolve()
    await Promise.all([calling, reconnecting])
    const { grant } = await account.row()
    await account.expire()
    expect((await account.call()).ok).toBe(true)
    expect((await account.row()).grant?.id).toBe(grant?.id)
  })

  it("can be replaced by a static credential, which stays", async () => {
    const { account } = await whileRefreshing(({ executor, ref }) =>
      executor.connections.create({ ...ref, template: "oauth", value: "a-token-that-was-pasted" }),
    )
    expect((await rowOf(account.real.store)).grant).toBeNull()
    const items = await Effect.runPromise(account.real.provider.list?.() ?? Effect.succeed([]))
    expect(items.filter(({ id }) => id.includes("/oauth:"))).toEqual([])
    expect(await account.executor.connections.get(account.ref)).toMatchObject({ oauthClient: null, expiresAt: null })
  })
})

describe("two processes", () => {
  it("send one token request for one expiry", async () => {
    const account = await connectAccount()
    const other = await account.another()
    for (let round = 1; round <= 5; round += 1) {
      await account.expire()
      const results = await Promise.all([
        account.call(),
        other.execute(address),
        account.call(),
        other.execute(address),
      ])
      expect(results.every(({ ok }) => ok)).toBe(true)
      expect(account.refreshes()).toBe(round)
    }
    expect(account.server.reuses).toBe(0)
  })

  it("do not double a refresh when the lease does not keep them apart", async () => {
    const store = memoryStore()
    const free: Store = {
      ...store,
      lease: { hold: (_, use) => use({ isHeld: Effect.succeed(true), now: Clock.currentTimeMillis }) },
    }
    const account = await connectAccount({ store: free })
    const other = await account.another()
    await account.expire()
    const released = Promise.withResolvers<void>()
    account.server.next("token", { fault: "hold", until: released.promise, isProcessed: true })
    const both = [account.call(), other.execute(address)]
    await account.server.received("token", 2)
    released.resolve()
    const results = await Promise.all(both)
    expect(results.map(({ ok }) => ok)).toEqual([true, true])
    expect(account.refreshes()).toBe(1)
    expect(await account.executor.connections.get(account.ref)).toMatchObject({ status: "active" })
  })
})

describe("a process that has lost its lease while it stood still", () => {
  it("sends nothing, and leaves the intent of whoever has it now", async () => {
    const store = memoryStore()
    let isHeld = true
    const account = await connectAccount({
      store: {
        ...store,
        lease: { hold: (_, use) => use({ isHeld: Effect.sync(() => isHeld), now: Clock.currentTimeMillis }) },
      },
    })
    await account.expire()
    isHeld = false
    expect(failureOf(await account.call())).toMatchObject({
      code: "oauth_refresh_failed",
      retryable: true,
      details: { reason: "contended" },
    })
    expect(account.refreshes()).toBe(0)
    expect((await account.row()).grant?.intent).toBeNull()
  })
})

describe("the end of the power", () => {
  const crashAt = async (at: number, rotation: "strict" | "grace") => {
    const account = await stagedAccount({ server: { rotation } })
    await account.expire()
    let count = 0
    const isStopped = Promise.withResolvers<void>()
    const isBuried = Promise.withResolvers<void>()
    account.control.use(() =>
      Effect.suspend(() => {
        count += 1
        if (count < at) return Effect.void
        isStopped.resolve()
        // The process stands still; when the test is over it may end, without having done anything else.
        return Effect.andThen(
          Effect.promise(() => isBuried.promise),
          Effect.fail("fail" as const),
        )
      }),
    )
    onTestFinished(() => isBuried.resolve())
    const dying = new AbortController()
    const died = account.call(dying.signal).catch(() => undefined)
    await Promise.race([died, isStopped.promise])
    dying.abort()
    const { grant } = await rowOf(account.real.store)
    // Some seconds later: whoever wrote an intent is waited for.
    if (grant?.intent != null) await missForLong(account.real.store)
    const survivor = await createExecutor({
      subject: "alice",
      plugins: [resourcePlugin],
      providers: [account.real.provider],
      // The lease of a process that died is free again.
      store: { ...account.real.store, lease: memoryStore().lease },
      egress: { allowHosts: [account.server.host] },
    })
    onTestFinished(() => survivor.close())
    return { account, result: await survivor.execute(address), again: await survivor.execute(address) }
  }

  it("at any step leaves what a server with a grace window lets go on", async () => {
    const steps = await stepsOfARefresh()
    for (let at = 1; at <= steps; at += 1) {
      const { result, again } = await crashAt(at, "grace")
      expect(result, `at step ${at}`).toMatchObject({ ok: true })
      expect(again, `at step ${at}`).toMatchObject({ ok: true })
    }
  })

  it("at any step leaves a strict server's connection working, or says that a rotated token was lost", async () => {
    const steps = await stepsOfARefresh()
    const outcomes = new Set<string>()
    for (let at = 1; at <= steps; at += 1) {
      const { result } = await crashAt(at, "strict")
      outcomes.add(result.ok ? "ok" : String(failureOf(result).details["reason"]))
    }
    expect([...outcomes].toSorted()).toEqual(["ok", "rotation_lost"])
  })
})

describe("an executor that closes", () => {
  it("finishes the refresh under way, and begins none whose answer it could not keep", async () => {
    const account = await stagedAccount()
    const other = { ...account.ref, name: "other" } as const
    const started = await account.executor.oauth.start({
      ...other,
      client: "app",
      clientOwner: "org",
      template: "oauth",
    })
    if (started.status !== "redirect") throw new Error(started.status)
    await account.executor.oauth.complete({ callbackUrl: await account.server.visit(started.authorizationUrl) })
    await account.expire()
    const row = await Effect.runPromise(account.real.store.connections.get({ ...accountKey, name: "other" }))
    if (row === undefined) throw new Error("The row is gone.")
    const expired = { ...row, expiresAt: Date.now() - 1, version: row.version + 1 }
    await Effect.runPromise(account.real.store.connections.put(expired, row.version))
    const released = Promise.withResolvers<void>()
    account.server.next("token", { fault: "hold", until: released.promise, isProcessed: true })
    const call = account.call()
    await account.server.received("token", 3)
    const closed = account.executor.close()
    expect(failureOf(await account.executor.execute("tools.files.user.other.whoami"))).toMatchObject({
      code: "oauth_refresh_failed",
      details: { reason: "executor_closed" },
    })
    released.resolve()
    await Promise.all([call, closed])
    expect(account.server.requests("token")).toHaveLength(3)
    expect((await rowOf(account.real.store)).grant?.intent).toBeNull()
  })
})

describe("a clock that jumps", () => {
  it("causes one refresh at most, and never a loop", async () => {
    const account = await connectAccount()
    const { grant } = await account.row()
    if (grant === null) throw new Error("The row has no grant.")
    const now = Date.now()
    // An hour ahead when the token was issued: it seems to be from the future and to last long.
    await account.edit({ expiresAt: now + 7_200_000, grant: { ...grant, issuedAt: now + 3_600_000 } })
    expect((await account.call()).ok).toBe(true)
    expect(account.refreshes()).toBe(0)
    // An hour behind: it seems to have run out.
    await account.edit({ expiresAt: now - 1, grant: { ...grant, issuedAt: now - 3_600_000 } })
    expect((await account.call()).ok).toBe(true)
    expect((await account.call()).ok).toBe(true)
    expect(account.refreshes()).toBe(1)
    // It really has run out while the clock says otherwise.
    account.server.expireAccessTokens()
    expect((await account.call()).ok).toBe(true)
    expect(account.refreshes()).toBe(2)
  })
})

describe("an id token", () => {
  it.each(["garbage", "", 7, null, "e30.e30.", ["a", "b"]])(
    "does not cost the refresh token when it is %j",
    async (idToken) => {
      const account = await connectAccount()
      await account.expire()
      account.server.next("token", { fault: "change", json: { id_token: idToken } })
      expect((await account.call()).ok).toBe(true)
      await account.expire()
      expect((await account.call()).ok).toBe(true)
      expect(account.refreshes()).toBe(2)
      expect(account.server.reuses).toBe(0)
    },
  )
})
