/** Stores and providers that keep what they read: a refresh looks past that, since a token that was spent must not be used again. */
import { type CredentialProvider, memoryProvider, memoryStore, type Store } from "@keyward/core"
import type { ConnectionRow } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { connectAccount } from "../account.ts"

/** A store that is never told of any change: what a call reads stays as it was when it was first read. */
const forgetful = (store: Store): Store => {
  const rows = new Map<string, ConnectionRow | undefined>()
  const { connections } = store
  return {
    ...store,
    connections: {
      ...connections,
      get: (key, reading) =>
        reading === "recent"
          ? Effect.suspend(() => {
              const id = JSON.stringify([key.subject, key.integration, key.name])
              if (rows.has(id)) return Effect.succeed(rows.get(id))
              return Effect.tap(connections.get(key), (row) => Effect.sync(() => rows.set(id, row)))
            })
          : connections.get(key),
    },
    close: () => Effect.void,
  }
}

/** A provider that reads each item once, until it is told to forget it. */
const keeping = (provider: CredentialProvider): CredentialProvider => {
  const values = new Map<string, Redacted.Redacted | undefined>()
  return {
    ...provider,
    get: (id) =>
      Effect.suspend(() =>
        values.has(id)
          ? Effect.succeed(values.get(id))
          : Effect.tap(provider.get(id), (value) => Effect.sync(() => values.set(id, value))),
      ),
    invalidate: (id) => Effect.sync(() => void values.delete(id)),
    close: () => Effect.void,
  }
}

describe("a process that remembers an old row and old tokens", () => {
  const twoProcesses = async () => {
    const [store, provider] = [memoryStore(), memoryProvider()]
    const account = await connectAccount({ store, provider })
    const other = await account.another({ store: forgetful(store), providers: [keeping(provider)] })
    const callThis = account.executor.connections.fetch(account.ref)
    const callOther = other.connections.fetch(account.ref)
    // It has the row and the tokens from now on.
    expect((await callOther("/resource")).ok).toBe(true)
    return { account, other, callThis, callOther }
  }

  it("uses what another has refreshed, and asks for nothing", async () => {
    const { account, callThis, callOther } = await twoProcesses()
    account.server.expireAccessTokens()
    await account.expire()
    expect((await callThis("/resource")).ok).toBe(true)
    expect((await callOther("/resource")).ok).toBe(true)
    expect(account.refreshes()).toBe(1)
    expect(account.server.reuses).toBe(0)
  })

  it("refreshes with the token that is good now", async () => {
    const { account, callThis, callOther } = await twoProcesses()
    account.server.expireAccessTokens()
    await account.expire()
    expect((await callThis("/resource")).ok).toBe(true)
    account.server.expireAccessTokens()
    await account.expire()
    expect((await callOther("/resource")).ok).toBe(true)
    expect(account.refreshes()).toBe(2)
    expect(account.server.reuses).toBe(0)
  })

  it("changes a connection as it is stored", async () => {
    const { account, other } = await twoProcesses()
    await account.executor.connections.update(account.ref, { description: "Theirs" })
    await other.connections.update(account.ref, { identityLabel: "Ours" })
    expect(await account.row()).toMatchObject({ description: "Theirs", identityLabel: "Ours" })
  })
})
