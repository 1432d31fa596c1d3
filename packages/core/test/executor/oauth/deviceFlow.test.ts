/**
 * The device flow (RFC 8628) as it is kept: who polls when, across processes and restarts, and how it ends.
 */
import { type Executor, OAuthSessionNotFoundError } from "@keyward/core"
import { type AuthorizationServerOptions, CanaryScanner } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { hashState } from "../../../src/oauth/AuthorizationRequest.ts"
import { rejectionOf } from "../acme.ts"
import { appByHand, appOf, flowOfMine, setOAuthStage } from "./oauthStage.ts"

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] })
})
afterEach(() => {
  vi.useRealTimers()
})

const pass = (seconds: number): void => {
  vi.setSystemTime(Date.now() + seconds * 1000)
}

type Device = AuthorizationServerOptions["device"]

const setDevice = async (device: Device = {}) => {
  const stage = await setOAuthStage({ server: { device } })
  await stage.executor.oauth.createClient(appOf(stage.server, { grant: "device_code" }))
  stage.events.length = 0
  const start = async (by: Pick<Executor, "oauth"> = stage.executor) => {
    const started = await by.oauth.start(flowOfMine)
    if (started.status !== "device") throw new Error(`expected a device flow, got ${started.status}`)
    return started
  }
  const polls = (): number => stage.server.requests("token").length
  return { ...stage, start, polls }
}

describe("a device flow", () => {
  it("shows the code, waits for the person, and connects", async () => {
    const { executor, server, start, polls, events } = await setDevice({ pending: 1 })
    const started = await start()
    expect(started).toMatchObject({ status: "device", interval: 5 })
    expect(started.userCode).not.toBe("")
    expect(started.verificationUri).toMatch(server.origin)
    expect(started.expiresAt).toBeGreaterThan(Date.now())
    pass(5)
    expect(await executor.oauth.poll(started.state)).toEqual({ status: "pending", nextPollAt: Date.now() + 5000 })
    pass(5)
    expect(await executor.oauth.poll(started.state)).toMatchObject({
      status: "connected",
      connection: { address: "tools.api.user.main", status: "active", oauthScope: "read write" },
    })
    expect(polls()).toBe(2)
    expect(await executor.execute("tools.api.user.main.call")).toMatchObject({ ok: true })
    expect(await rejectionOf(executor.oauth.poll(started.state))).toBeInstanceOf(OAuthSessionNotFoundError)
    expect(events.map(({ type }) => type)).toEqual([
      "oauth.started",
      "connection.created",
      "oauth.completed",
      "tool.called",
    ])
  })

  it("asks for its resource with the device code and with the token (A5)", async () => {
    const { executor, server, start } = await setDevice()
    const resource = "https://api.example/mcp"
    await executor.oauth.createClient(appOf(server, { grant: "device_code", resource }))
    const { state } = await start()
    pass(5)
    expect(await executor.oauth.poll(state)).toMatchObject({ status: "connected" })
    expect(server.requests("device_authorization")[0]?.parameters.get("resource")).toBe(resource)
    expect(server.requests("token")[0]?.parameters.get("resource")).toBe(resource)
  })

  it("asks with the provider's own parameters, which cannot be those of the protocol", async () => {
    const { executor, server } = await setDevice()
    const app = { grant: "device_code", authorizationParams: { audience: "https://api.example/" } } as const
    await executor.oauth.createClient(appOf(server, app))
    await executor.oauth.start(flowOfMine)
    expect(server.requests("device_authorization").at(-1)?.parameters.get("audience")).toBe("https://api.example/")
    await executor.oauth.createClient(appOf(server, { ...app, authorizationParams: { scope: "all" } }))
    expect(await rejectionOf(executor.oauth.start(flowOfMine))).toMatchObject({ _tag: "OAuthStartError" })
    expect(server.requests("device_authorization")).toHaveLength(1)
  })

  it("works through a client that was entered by hand", async () => {
    const { executor, server } = await setOAuthStage()
    const { deviceAuthorizationUrl } = server
    await executor.oauth.createClient(appByHand(server, { grant: "device_code", deviceAuthorizationUrl }))
    const started = await executor.oauth.start(flowOfMine)
    if (started.status !== "device") throw new Error("expected a device flow")
    pass(5)
    expect(await executor.oauth.poll(started.state)).toMatchObject({ status: "connected" })
    expect(server.requests("metadata")).toEqual([])
  })

  it("makes no request for a poll that comes too early", async () => {
    const { executor, start, polls } = await setDevice()
    const { state } = await start()
    const due = Date.now() + 5000
    expect(await executor.oauth.poll(state)).toEqual({ status: "pending", nextPollAt: due })
    pass(4.999)
    expect(await executor.oauth.poll(state)).toEqual({ status: "pending", nextPollAt: due })
    expect(polls()).toBe(0)
  })

  it("slows down by five seconds for good when it is told to, and remembers that over a restart", async () => {
    const { executor, start, polls, restarted } = await setDevice({ slowDown: 1, outcome: "approve" })
    const { state } = await start()
    pass(5)
    expect(await executor.oauth.poll(state)).toEqual({ status: "pending", nextPollAt: Date.now() + 10_000 })
    await executor.close()
    const again = await restarted()
    pass(9)
    expect(await again.oauth.poll(state)).toMatchObject({ status: "pending" })
    expect(polls()).toBe(1)
    pass(1)
    expect(await again.oauth.poll(state)).toMatchObject({ status: "connected" })
  })

  it("asks once when several poll at the same time, in one process or two", async () => {
    const { executor, start, polls, restarted } = await setDevice()
    const other = await restarted()
    const { state } = await start()
    pass(5)
    const outcomes = await Promise.allSettled([executor, other, executor, other].map((by) => by.oauth.poll(state)))
    expect(polls()).toBe(1)
    const connected = outcomes.filter(
      (outcome) => outcome.status === "fulfilled" && outcome.value.status === "connected",
    )
    expect(connected).toHaveLength(1)
    expect((await executor.connections.list()).map(({ address }) => address)).toEqual(["tools.api.user.main"])
  })

  it.each([
    ["deny", "access_denied"],
    ["expire", "expired_token"],
  ] as const)("ends when the person's answer is %s, with the reason %s", async (outcome, reason) => {
    const { executor, start, polls, events } = await setDevice({ outcome })
    const { state } = await start()
    pass(5)
    expect(await rejectionOf(executor.oauth.poll(state))).toMatchObject({ _tag: "OAuthCompleteError", reason })
    pass(5)
    expect(await rejectionOf(executor.oauth.poll(state))).toBeInstanceOf(OAuthSessionNotFoundError)
    expect(polls()).toBe(1)
    expect(events.at(-1)).toMatchObject({ type: "oauth.failed", reason })
  })

  it("ends by itself when its code has run out, without a request", async () => {
    const { executor, start, polls } = await setDevice({ pending: 99 })
    const { state, expiresAt } = await start()
    vi.setSystemTime(expiresAt)
    expect(await rejectionOf(executor.oauth.poll(state))).toMatchObject({ reason: "expired_token" })
    expect(polls()).toBe(0)
  })

  it.each([
    ["an outage", { fault: "html", status: 503 }],
    ["a reset", { fault: "reset" }],
  ] as const)("goes on after %s, more slowly", async (_, fault) => {
    const { executor, server, start } = await setDevice()
    const { state } = await start()
    pass(5)
    server.next("token", fault)
    expect(await executor.oauth.poll(state)).toEqual({ status: "pending", nextPollAt: Date.now() + 10_000 })
    pass(10)
    expect(await executor.oauth.poll(state)).toMatchObject({ status: "connected" })
  })

  it("stops when it is cancelled", async () => {
    const { executor, start, polls, events } = await setDevice()
    const { state } = await start()
    await executor.oauth.cancel(state)
    pass(5)
    expect(await rejectionOf(executor.oauth.poll(state))).toBeInstanceOf(OAuthSessionNotFoundError)
    expect(polls()).toBe(0)
    expect(events.at(-1)).toMatchObject({ type: "oauth.cancelled" })
  })

  it("makes no connection, and revokes, when it is cancelled while the tokens are on their way", async () => {
    const { executor, server, start } = await setDevice()
    const { state } = await start()
    pass(5)
    let answer = (): void => undefined
    server.next("token", {
      fault: "hold",
      until: new Promise<void>((resolve) => (answer = resolve)),
      isProcessed: true,
    })
    const polling = rejectionOf(executor.oauth.poll(state))
    await server.received("token", 1)
    await executor.oauth.cancel(state)
    answer()
    expect(await polling).toBeInstanceOf(OAuthSessionNotFoundError)
    expect(await executor.connections.list()).toEqual([])
    await server.received("revocation", 1)
  })

  it("is its own person's: another's poll ends it before any request (T3)", async () => {
    const { executor, start, polls } = await setDevice()
    const { state } = await start()
    pass(5)
    const bob = executor.withIdentity({ subject: "bob" })
    expect(await rejectionOf(bob.oauth.poll(state))).toMatchObject({ reason: "identity_mismatch" })
    const elsewhere = executor.withIdentity({ tenant: "globex", subject: "alice" })
    expect(await rejectionOf(elsewhere.oauth.poll(state))).toBeInstanceOf(OAuthSessionNotFoundError)
    expect(polls()).toBe(0)
  })

  it("is not finished by a callback, and a redirect flow not by polling", async () => {
    const { executor, server, start } = await setDevice()
    const { state } = await start()
    expect(await rejectionOf(executor.oauth.complete({ state, code: "c" }))).toMatchObject({
      reason: "not_a_redirect_flow",
    })
    await executor.oauth.createClient(appOf(server, { slug: "web" }))
    const redirected = await executor.oauth.start({ ...flowOfMine, client: "web" })
    expect(
      await rejectionOf(executor.oauth.poll(redirected.status === "redirect" ? redirected.state : "")),
    ).toMatchObject({ reason: "not_a_device_flow" })
  })

  it("is refused where the server does not answer as it must", async () => {
    const { server, executor, start, store } = await setDevice()
    server.next("device_authorization", { fault: "error", error: "invalid_client" })
    expect(await rejectionOf(start())).toMatchObject({ _tag: "OAuthStartError", reason: "device_request_failed" })
    server.next("device_authorization", { fault: "change", json: { verification_uri: "javascript:alert(1)" } })
    expect(await rejectionOf(start())).toMatchObject({ reason: "device_request_failed", retryable: false })
    server.next("device_authorization", { fault: "html", status: 503 })
    expect(await rejectionOf(start())).toMatchObject({ retryable: true })
    expect(await executor.connections.list()).toEqual([])
    expect(await Effect.runPromise(store.oauth.sessions.removeExpired("acme", Number.MAX_SAFE_INTEGER))).toBe(0)
  })

  it("keeps nothing that a reader of the store could use", async () => {
    const { start, server, store, events } = await setDevice()
    const { state } = await start()
    const session = await Effect.runPromise(store.oauth.sessions.get("acme", hashState(state)))
    expect(session?.device).toMatchObject({ interval: 5 })
    new CanaryScanner([state, ...server.secrets]).expectNone([session, events], "the record and the events")
  })
})
