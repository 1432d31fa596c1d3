/** Calls and requests that come to nothing: each leaves an entry, which says as much as is known and is never large. */
import type { AuditEntry } from "@keyward/core"
import { describe, expect, it } from "vitest"
import { acmePlugin, main, rejectionOf, setStage, toolOfMain } from "../acme.ts"

const stage = async () => {
  const { executor, events } = await setStage({
    config: { tenant: "acme", audit: true },
    plugin: acmePlugin(
      {},
      { resolveTools: () => [{ name: "call", annotations: { readOnlyHint: true } }], invokeTool: () => 1 },
    ),
    upstream: () => ({ json: {} }),
  })
  await executor.connections.create({ ...main, template: "bearer", value: "v" })
  await executor.agents.create({ id: "bot", integrations: ["api"] })
  await executor.agents.grant("bot", { connection: main, access: ["read"] })
  const since = (await executor.audit.list()).at(-1)?.sequence
  const left = async (): Promise<ReadonlyArray<AuditEntry>> => executor.audit.list({ after: since })
  return { executor, events, bot: await executor.asAgent("bot"), left }
}

/** What a promise comes to does not matter. */
const tried = (call: PromiseLike<unknown>): Promise<unknown> => Promise.allSettled([call])

describe("an agent's call that is refused", () => {
  it.each<[string, (bot: Awaited<ReturnType<typeof stage>>["bot"]) => PromiseLike<unknown>, Partial<AuditEntry>]>([
    [
      "by a connection that it was not granted",
      (bot) => bot.execute("tools.api.org.other.call"),
      {
        type: "call.refused",
        integration: "api",
        connection: "tools.api.org.other",
        tool: "call",
        outcome: "ConnectionNotFoundError",
      },
    ],
    [
      "by an integration that it was not allowed, in a full address",
      (bot) => bot.execute("tools.secret.org.main.call"),
      { type: "call.refused", integration: "secret", connection: "tools.secret.org.main" },
    ],
    [
      "by an integration that it was not allowed",
      (bot) => bot.call("secret", "call"),
      {
        type: "call.refused",
        integration: "secret",
        connection: null,
        tool: "call",
        outcome: "IntegrationNotFoundError",
      },
    ],
    [
      "by an identity that is none",
      (bot) => bot.execute(toolOfMain(), { _identity: "root" }),
      { type: "call.refused", connection: "tools.api.org.main", tool: "call", outcome: "invalid_arguments" },
    ],
    [
      "by an identity that is none, where the connection is selected",
      (bot) => bot.call("api", "call", { _identity: "root" }),
      { type: "call.refused", integration: "api", tool: "call", outcome: "invalid_arguments" },
    ],
    [
      "by an account that is no text",
      (bot) => bot.call("api", "call", {}, { account: "" }),
      { type: "call.refused", integration: "api", tool: "call", outcome: "InvalidConnectionInputError" },
    ],
    [
      "by an address that is none",
      (bot) => bot.execute("rm -rf"),
      {
        type: "call.refused",
        integration: null,
        tool: null,
        details: { address: "rm -rf" },
        outcome: "ToolNotFoundError",
      },
    ],
  ])("%s leaves one entry", async (_, call, entry) => {
    const { bot, left } = await stage()
    await tried(call(bot))
    expect(await left()).toMatchObject([{ ...entry, agent: "bot" }])
  })

  it("because it is not there any more leaves one that says so, and does not say that it acted", async () => {
    const { executor, bot, left } = await stage()
    await executor.agents.remove("bot")
    await tried(bot.execute(toolOfMain()))
    await tried(executor.asAgent(`kwa_bot_${"a".repeat(43)}`))
    expect((await left()).slice(1)).toMatchObject([
      { type: "agent.refused", agent: null, details: { agentId: "bot", code: "AgentNotFoundError" } },
      { type: "agent.refused", agent: null, details: { code: "InvalidAgentKeyError" } },
    ])
  })
})

describe("a key that was passed on badly", () => {
  it.each([
    (key: string) => `Bearer ${key}`,
    (key: string) => key.slice(4),
    (key: string) => `${key}${key.slice(-44)}`,
  ])("is in no event and no entry", async (spoil) => {
    const { executor, events, left } = await stage()
    const { key } = await executor.agents.rotateKey("bot")
    const secret = key.slice(-43)
    await rejectionOf(executor.asAgent(spoil(key)))
    expect((await left()).at(-1)).toMatchObject({ type: "agent.refused", agent: null })
    expect(JSON.stringify([events, await left()])).not.toContain(secret)
  })
})

describe("a call whose tool is not there, of an integration that has no connection", () => {
  it("leaves an entry", async () => {
    const { executor, left } = await stage()
    await executor.connections.remove(main)
    const before = (await left()).length
    await rejectionOf(executor.call("api", "nope"))
    expect((await left()).slice(before)).toMatchObject([{ type: "call.refused", integration: "api", tool: "nope" }])
  })
})

describe("a request of one's own", () => {
  it("leaves an entry when it is refused, by grant, rule, mode or because there is no such connection", async () => {
    const { executor, bot, left } = await stage()
    await tried(bot.connections.fetch(main)("/", { method: "DELETE" }))
    await executor.agents.grant("bot", { connection: main, access: ["read", "write"] })
    await tried(bot.connections.fetch(main)("/", { method: "DELETE" }))
    const rule = await executor.policies.create({ owner: "org", pattern: "tools.api.*.*.fetch", action: "block" })
    await tried(bot.connections.fetch(main)("/"))
    await executor.policies.remove(rule.id)
    await tried(bot.connections.fetch({ ...main, name: "other" })("/"))
    await bot.connections.fetch(main)("/")
    const fetched = (await left()).filter(({ type }) => type === "connection.fetched")
    const common = { agent: "bot", connection: "tools.api.org.main", identityMode: "either", chosenBy: "address" }
    expect(fetched).toMatchObject([
      { ...common, outcome: "AccessDeniedError", details: { method: "DELETE" }, decision: null },
      { ...common, outcome: "ToolBlockedError", decision: "require_approval", rule: expect.any(String) as string },
      { ...common, outcome: "ToolBlockedError", decision: "block", rule: rule.id },
      { agent: "bot", connection: "tools.api.org.other", outcome: "ConnectionNotFoundError", identityMode: null },
      { ...common, outcome: "200", decision: "approve", destination: expect.any(String) as string },
    ])
  })

  it("leaves one when the integration's mode does not allow its connection", async () => {
    const { executor, left } = await stage()
    await executor.integrations.setIdentityMode("api", "per_user")
    await tried(executor.connections.fetch(main)("/"))
    expect((await left()).at(-1)).toMatchObject({
      type: "connection.fetched",
      identityMode: "per_user",
      outcome: "IdentityModeError",
    })
  })
})

describe("an entry", () => {
  it("holds no more of a text than 2,000 characters, whoever made it up", async () => {
    const { bot, left } = await stage()
    const long = "🦊".repeat(35_000)
    await tried(bot.execute(toolOfMain(long)))
    await tried(bot.execute(long))
    await tried(bot.call(long, "call"))
    const entries = await left()
    expect(entries.map(({ type }) => type)).toEqual(["tool.called", "call.refused", "call.refused"])
    for (const entry of entries) expect(JSON.stringify(entry).length).toBeLessThan(8000)
    expect(entries[0]?.tool).toBe(`${"🦊".repeat(1000)}…`)
  })
})
