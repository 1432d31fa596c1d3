/** What a host is told as it happens: everything that changes, every call, never a secret. */
import { createExecutor, memoryProvider } from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import { describe, expect, it } from "vitest"
import { acmePlugin, main, rejectionOf, setStage, templates, toolOfMain } from "./acme.ts"

describe("events", () => {
  it("tell each change and each call once, in order, stamped with the caller", async () => {
    const [secret, other] = [canary("secret"), canary("other")]
    const { executor, events, upstream } = await setStage({
      config: { tenant: "acme", subject: "alice" },
      tools: { call: ({ args }) => ({ args }), broken: () => Promise.reject(new Error("no")) },
    })
    const began = Date.now()
    const mine = { ...main, owner: "user" } as const
    await executor.connections.create({ ...mine, template: "bearer", value: secret })
    await executor.connections.create({ ...mine, template: "bearer", value: other })
    await executor.connections.update(mine, { description: "d" })
    await executor.execute("tools.api.user.main.call", { password: secret })
    await executor.execute("tools.api.user.main.broken")
    await rejectionOf(executor.execute("tools.api.user.main.nope"))
    await executor.connections.refresh(mine)
    await executor.connections.disable(mine)
    await executor.execute("tools.api.user.main.call")
    await executor.acme.add({ slug: "api", baseUrl: upstream.origin, origins: [upstream.origin, "https://x.example"] })
    await executor.connections.enable(mine)
    await executor.connections.remove(mine)
    await executor.withIdentity({ tenant: "acme" }).integrations.remove("api")
    const connection = { connection: "tools.api.user.main", integration: "api", owner: "user" }
    const called = {
      type: "tool.called",
      ...connection,
      chosenBy: "address",
      identityMode: "either",
      durationMs: expect.any(Number) as number,
    }
    const read = { decision: "approve", rule: "read_only" }
    expect(events.map(({ at: _at, tenant: _tenant, subject: _subject, ...event }) => event)).toEqual([
      { type: "connection.created", ...connection },
      { type: "connection.replaced", ...connection },
      { type: "connection.updated", ...connection },
      { ...called, ...read, tool: "call", outcome: "ok" },
      { ...called, ...read, tool: "broken", outcome: "tool_failed" },
      { ...called, tool: "nope", outcome: "ToolNotFoundError" },
      { type: "connection.refreshed", ...connection },
      { type: "connection.disabled", ...connection, reason: "disabled_by_host" },
      { ...called, ...read, tool: "call", outcome: "connection_disabled" },
      { type: "credential.failed", ...connection, code: "connection_disabled", reason: "disabled_by_host" },
      {
        type: "integration.updated",
        integration: "api",
        revision: 2,
        originsChanged: true,
        identityMode: "either",
      },
      { type: "connection.enabled", ...connection },
      { type: "connection.removed", ...connection },
      {
        type: "integration.removed",
        integration: "api",
        revision: 2,
        originsChanged: false,
        identityMode: "either",
      },
    ])
    expect(events.every(({ tenant }) => tenant === "acme")).toBe(true)
    expect(new Set(events.map(({ subject }) => subject))).toEqual(new Set(["alice", null]))
    for (const { at } of events) expect(at).toBeGreaterThanOrEqual(began)
    new CanaryScanner([secret, other]).expectNone(events, "the events")
  })

  it("tell each request through connections.fetch, and what became of it", async () => {
    const { executor, events, upstream } = await setStage({
      upstream: { "/": { status: 200 }, "/gone": { status: 404 }, "/hang": { fault: "hang" } },
    })
    await executor.connections.create({ ...main, template: "bearer", value: canary("secret") })
    const fetch = executor.connections.fetch(main)
    await fetch("/?page=1")
    await fetch("/gone", { method: "DELETE" })
    const stop = new AbortController()
    const waiting = rejectionOf(fetch("/hang", { signal: stop.signal }))
    await upstream.received(3)
    stop.abort()
    await waiting
    await rejectionOf(fetch("https://elsewhere.example"))
    const fetched = { type: "connection.fetched", connection: "tools.api.org.main", integration: "api", owner: "org" }
    expect(events.filter(({ type }) => type === "connection.fetched")).toMatchObject([
      { ...fetched, method: "GET", outcome: "200", destination: upstream.origin },
      { ...fetched, method: "DELETE", outcome: "404", destination: upstream.origin },
      { ...fetched, method: "GET", outcome: "aborted" },
      { ...fetched, method: "GET", outcome: "OriginNotAllowedError" },
    ])
  })

  it("tell of changes that did not happen and of lists nothing, and of a call that it was refused", async () => {
    const { executor, events } = await setStage()
    await rejectionOf(executor.connections.create({ ...main, template: "nope" }))
    await rejectionOf(executor.connections.remove(main))
    await rejectionOf(executor.execute(toolOfMain()))
    await executor.connections.list()
    await executor.tools.list()
    expect(events).toMatchObject([{ type: "call.refused", tool: "call", outcome: "ConnectionNotFoundError" }])
  })

  it.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("the log is full")
      },
    ],
    ["rejects", () => Promise.reject(new Error("the log is full"))],
    ["never answers", () => new Promise(() => {})],
  ])("change nothing when the listener %s", async (_, onEvent) => {
    let heard = 0
    await using executor = await createExecutor({
      plugins: [acmePlugin({ call: () => "done" })] as const,
      providers: [memoryProvider()],
      onEvent: () => {
        heard += 1
        return onEvent() as void
      },
    })
    await executor.acme.add({ slug: "api", authTemplates: templates })
    await executor.connections.create({ ...main, template: "bearer", value: "v" })
    expect(await executor.execute(toolOfMain())).toEqual({ ok: true, data: "done" })
    await executor.connections.remove(main)
    expect(heard).toBe(4)
  })
})
