/** Refreshing in the background: before anybody calls, for every user, until it is stopped. */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import type { ExecutorEvent } from "@keyward/core"
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
