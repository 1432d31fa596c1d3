/**
 * Revocation (RFC 7009) through the outbox: removal never waits for it, it is tried until it is confirmed, and then nothing is left.
 */
import { CanaryScanner } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { afterEach, describe, expect, it, vi } from "vitest"
import { eventually } from "../../eventually.ts"
import { rejectionOf, storeDown, unreliableStore } from "../acme.ts"
import { appByHand, appOf, connect, flowOfMine, mine, setOAuthStage } from "./oauthStage.ts"

afterEach(() => {
  vi.useRealTimers()
})

const setConnected = async (
  options: Parameters<typeof setOAuthStage>[0] = {},
  app: Parameters<typeof appOf>[1] = {},
) => {
  const stage = await setOAuthStage(options)
  await stage.executor.oauth.createClient(appOf(stage.server, app))
  await connect(stage)
  stage.events.length = 0
  const debts = () =>
    Effect.runPromise(stage.store.oauth.revocations.due({ tenant: "acme", now: Number.MAX_SAFE_INTEGER, limit: 10 }))
  return { ...stage, debts }
}

const passHours = (hours: number): void => {
  vi.setSystemTime(Date.now() + hours * 3_600_000)
}

describe("removing a connection", () => {
  it("revokes its refresh token and leaves nothing", async () => {
    const { executor, server, vault, events, debts } = await setConnected()
    const [id] = [...vault.items].find(([name]) => name.endsWith(":refresh")) ?? []
    const refreshToken = vault.items.get(id ?? "")
    await executor.connections.remove(mine)
    const revocation = await server.received("revocation", 1)
    expect(revocation.parameters.get("token")).toBe(refreshToken)
    expect(revocation.parameters.get("token_type_hint")).toBe("refresh_token")
    await eventually(() => expect(events.map(({ type }) => type)).toEqual(["connection.removed", "oauth.revoked"]))
    expect(server.grants.map(({ endedBy }) => endedBy)).toEqual(["revocation"])
    expect(vault.items.size).toBe(0)
    expect(await debts()).toEqual([])
  })

  it("is paid before the client goes that can pay it", async () => {
    const { executor, server, debts } = await setConnected()
    await executor.connections.remove(mine)
    await executor.oauth.removeClient("org", "app")
    expect(server.grants.map(({ endedBy }) => endedBy)).toEqual(["revocation"])
    expect(await debts()).toEqual([])
  })

  it("goes by the quirks of the template as the token requests did", async () => {
    const template = { quirks: { basicEncoding: "raw" } } as const
    const { executor, server } = await setConnected({ template }, { clientSecret: "100%" })
    await executor.connections.remove(mine)
    const { headers } = await server.received("revocation", 1)
    expect(headers.authorization).toBe(`Basic ${Buffer.from("app-id:100%").toString("base64")}`)
    expect(headers.authorization).toBe(server.requests("token")[0]?.headers.authorization)
  })

  it("owes nothing where the template says that the server cannot revoke", async () => {
    const { executor, server, vault, debts } = await setConnected({ template: { quirks: { revocation: "none" } } })
    await executor.connections.remove(mine)
    await executor.close()
    expect(server.requests("revocation")).toEqual([])
    expect(vault.items.size).toBe(0)
    expect(await debts()).toEqual([])
  })

  it("does not wait for a server that hangs (K5)", async () => {
    const { executor, server } = await setConnected()
    server.always("revocation", { fault: "hang" })
    await executor.connections.remove(mine)
    expect(await executor.connections.list()).toEqual([])
    await server.received("revocation", 1)
  })

  it("tries again when the server is down, also after a restart (K3)", async () => {
    vi.useFakeTimers({ toFake: ["Date"] })
    const { executor, server, vault, debts, restarted } = await setConnected()
    server.next("revocation", { fault: "html", status: 503 })
    const before = Date.now()
    await executor.connections.remove(mine)
    await eventually(async () => expect(await debts()).toMatchObject([{ attempts: 1 }]))
    const [debt] = await debts()
    expect(debt?.nextAttemptAt).toBeGreaterThanOrEqual(before + 60_000)
    new CanaryScanner(server.secrets).expectNone(debt, "the record")
    await executor.close()
    const again = await restarted()
    await again.oauth.start(flowOfMine)
    expect(server.requests("revocation")).toHaveLength(1)
    passHours(1)
    await again.oauth.start(flowOfMine)
    await server.received("revocation", 2)
    await eventually(async () => expect(await debts()).toEqual([]))
    expect(vault.items.size).toBe(0)
    expect(server.grants[0]).toMatchObject({ endedBy: "revocation" })
  })

  it("gives up after ten attempts, and says so", async () => {
    vi.useFakeTimers({ toFake: ["Date"] })
    const { executor, server, vault, debts, events } = await setConnected()
    server.always("revocation", { fault: "html", status: 503 })
    await executor.connections.remove(mine)
    for (let attempt = 1; attempt < 10; attempt += 1) {
      await eventually(async () => expect(await debts()).toMatchObject([{ attempts: attempt }]))
      passHours(7)
      await executor.oauth.start(flowOfMine)
    }
    await eventually(async () => expect(await debts()).toEqual([]))
    expect(server.requests("revocation")).toHaveLength(10)
    expect(events).toContainEqual(expect.objectContaining({ type: "oauth.revocation_failed", client: "app" }))
    expect(vault.items.size).toBe(0)
  })

  it("offers the access token where the server takes no other (K4)", async () => {
    const { executor, server, vault, debts } = await setConnected()
    server.next("revocation", { fault: "error", error: "unsupported_token_type" })
    await executor.connections.remove(mine)
    const second = await server.received("revocation", 2)
    expect(second.parameters.get("token_type_hint")).toBe("access_token")
    await eventually(async () => expect(await debts()).toEqual([]))
    expect(vault.items.size).toBe(0)
  })

  it.each([
    ["the server names no endpoint for it", { server: { metadata: { revocation_endpoint: undefined } } }, {}],
    ["a quirk says that the server cannot", {}, { quirks: { revocation: "none" } }],
  ] as const)("asks nobody when %s", async (_, options, app) => {
    const { executor, server, vault, debts } = await setConnected(options, app)
    await executor.connections.remove(mine)
    expect(await debts()).toEqual([])
    expect(server.requests("revocation")).toEqual([])
    expect(vault.items.size).toBe(0)
  })

  it("goes on when the outbox cannot be written", async () => {
    const store = unreliableStore((operation) =>
      operation === "oauth.revocations.put" ? storeDown(operation) : Effect.void,
    )
    const { executor } = await setConnected({ config: { store } })
    await executor.connections.remove(mine)
    expect(await executor.connections.list()).toEqual([])
  })

  it("deletes all that was minted for it, or stays disabled", async () => {
    const { executor, vault } = await setConnected()
    const { provider } = vault
    const deletion = vi.spyOn(provider, "delete")
    const { ProviderUnavailableError } = await import("@keyward/core")
    deletion.mockImplementation(() =>
      Effect.fail(new ProviderUnavailableError({ provider: "vault", reason: "locked", nextStep: "Unlock it." })),
    )
    expect(await rejectionOf(executor.connections.remove(mine))).toMatchObject({ _tag: "ProviderUnavailableError" })
    expect(await executor.connections.get(mine)).toMatchObject({ statusReason: "removal_incomplete" })
    deletion.mockRestore()
    await executor.connections.remove(mine)
    await eventually(() => expect([...vault.items.keys()].filter((id) => id.includes("oauth:"))).toEqual([]))
  })
})

describe("replacing a connection", () => {
  it("revokes what it was granted when the new credential is a pasted one", async () => {
    const { executor, server, vault } = await setConnected()
    await executor.connections.create({ ...mine, template: "bearer", value: "pasted" })
    await server.received("revocation", 1)
    await eventually(() => expect([...vault.items]).toEqual([["acme/alice/connection:user:api:main:token", "pasted"]]))
    expect(await executor.oauth.grant(mine)).toBeNull()
  })

  it("revokes what it was granted when the new grant is of another client", async () => {
    const stage = await setConnected()
    const { executor, server } = stage
    await executor.oauth.createClient(appOf(server, { slug: "other", clientId: "other-id" }))
    await connect(stage, { ...flowOfMine, client: "other" })
    const revocation = await server.received("revocation", 1)
    expect(revocation.parameters.get("client_id")).toBe("app-id")
    expect(server.grants.map(({ endedBy }) => endedBy)).toEqual(["revocation", null])
    expect(await executor.execute("tools.api.user.main.call")).toMatchObject({ ok: true })
  })

  it("deletes the pasted credential that a grant takes the place of", async () => {
    const stage = await setOAuthStage()
    const { executor, server, vault } = stage
    await executor.oauth.createClient(appByHand(server))
    await executor.connections.create({ ...mine, template: "bearer", value: "pasted" })
    await connect(stage)
    expect([...vault.items.keys()].toSorted()).toEqual([
      "acme/alice/oauth:user:api:main",
      "acme/alice/oauth:user:api:main:refresh",
    ])
  })
})

describe("a client that is gone or moved", () => {
  it.each([
    ["client_removed", "removed"],
    ["client_changed", "moved to another server"],
  ])("leaves the token to run out, with the reason %s", async (reason, how) => {
    vi.useFakeTimers({ toFake: ["Date"] })
    const { executor, server, debts, events } = await setConnected()
    server.next("revocation", { fault: "html", status: 503 })
    await executor.connections.remove(mine)
    await eventually(async () => expect(await debts()).toMatchObject([{ attempts: 1 }]))
    if (how === "removed") await executor.oauth.removeClient("org", "app")
    else await executor.oauth.createClient(appByHand(server, { clientSecret: "secret of another server" }))
    await executor.oauth.createClient(appByHand(server, { slug: "other" }))
    passHours(1)
    await executor.oauth.start({ ...flowOfMine, client: "other" })
    await eventually(async () => expect(await debts()).toEqual([]))
    expect(server.requests("revocation")).toHaveLength(1)
    expect(events).toContainEqual(expect.objectContaining({ type: "oauth.revocation_failed", reason }))
  })
})
