/** A model in the AI SDK's own loop calls an executor's tools over HTTP, and never sees a secret. */
import { generateText, isStepCount } from "ai"
import { describe, expect, it } from "vitest"
import { aiSdkTools, TooManyToolsError } from "../src/index.ts"
import { lastResult, scriptedModel, setStage } from "./stage.ts"

const prompt = "What is in stock?"
const stopWhen = isStepCount(5)

describe("one tool for each", () => {
  it("is called in the loop with the credential on the request, and answers its data", async () => {
    const { executor, upstream, scanner, secret } = await setStage()
    const tools = await aiSdkTools(executor)
    expect(Object.keys(tools)).toEqual([
      "inventory_org_main_items_list",
      "inventory_org_main_items_create",
      "inventory_org_main_items_delete",
    ])
    const model = scriptedModel([{ tool: "inventory_org_main_items_list" }, { text: "One lamp." }])
    const { text, steps } = await generateText({ model, tools, prompt, stopWhen })
    expect(text).toBe("One lamp.")
    expect(upstream.requests[0]?.headers.authorization).toBe(`Bearer ${secret}`)
    expect(lastResult(model.doGenerateCalls[1]?.prompt)).toMatchObject({
      type: "json",
      value: { items: ["LAMP-1"] },
    })
    expect(steps[0]?.toolCalls[0]).toMatchObject({
      toolMetadata: { address: "tools.inventory.org.main.items.list" },
    })
    // The service echoes the secret: what comes back is redacted before the model or the host reads it.
    scanner.expectNone(model.doGenerateCalls, "what the model was shown")
    scanner.expectNone(steps, "what the host gets")
  })

  it("shows the model what each tool takes", async () => {
    const { executor } = await setStage()
    const model = scriptedModel([{ text: "Nothing to do." }])
    await generateText({ model, tools: await aiSdkTools(executor), prompt })
    const shown = model.doGenerateCalls[0]?.tools?.find(({ name }) => name === "inventory_org_main_items_delete")
    expect(shown).toMatchObject({
      type: "function",
      description: "Remove an item from the stock",
      inputSchema: { type: "object", required: ["sku"] },
    })
  })

  it("gives failures to the model as errors that say what to do next", async () => {
    const { executor, scanner } = await setStage({ routes: { "/items": { status: 401, json: { error: "expired" } } } })
    const model = scriptedModel([
      { tool: "inventory_org_main_items_list" },
      { tool: "inventory_org_main_items_create", input: {} },
    ])
    const { steps } = await generateText({ model, tools: await aiSdkTools(executor), prompt, stopWhen })
    expect(lastResult(model.doGenerateCalls[1]?.prompt)).toMatchObject({
      type: "error-json",
      value: {
        error: {
          code: "connection_rejected",
          details: { category: "authentication", authRequired: true, connection: "tools.inventory.org.main" },
        },
      },
    })
    expect(steps[0]?.toolResults[0]?.output).toMatchObject({ ok: false, error: { code: "connection_rejected" } })
    expect(lastResult(model.doGenerateCalls[2]?.prompt)).toMatchObject({
      type: "error-json",
      value: { error: { code: "invalid_arguments" } },
    })
    scanner.expectNone(model.doGenerateCalls, "what the model was shown")
  })

  it("leaves approvals to the executor", async () => {
    const asked: Array<string> = []
    const { executor, upstream } = await setStage({ routes: { "DELETE /items/LAMP-1": { status: 204 } } })
    await executor.policies.create({ owner: "org", pattern: "*", action: "require_approval" })
    const input = { sku: "LAMP-1" }
    const model = scriptedModel([{ tool: "inventory_org_main_items_delete", input }, { text: "Not allowed." }])
    const { steps } = await generateText({ model, tools: await aiSdkTools(executor), prompt, stopWhen })
    expect(steps[0]?.content.find(({ type }) => type === "tool-error")).toMatchObject({
      error: { _tag: "ElicitationDeclinedError" },
    })
    expect(upstream.requests).toHaveLength(0)
    const approving = await aiSdkTools(executor, {
      onElicitation: ({ kind, tool }) => {
        asked.push(`${kind} ${tool}`)
        return { action: "accept" }
      },
    })
    const again = scriptedModel([{ tool: "inventory_org_main_items_delete", input }, { text: "Gone." }])
    await generateText({ model: again, tools: approving, prompt, stopWhen })
    expect(asked).toEqual(["approval tools.inventory.org.main.items.delete"])
    expect(upstream.requests.map(({ method, url }) => `${method} ${url}`)).toEqual(["DELETE /items/LAMP-1"])
  })

  it("ends the request when the generation is aborted", async () => {
    const { executor, upstream } = await setStage({ routes: { "/items": { fault: "hang" } } })
    const controller = new AbortController()
    const model = scriptedModel([{ tool: "inventory_org_main_items_list" }, { text: "Too late." }])
    const tools = await aiSdkTools(executor)
    const generated = generateText({ model, tools, prompt, stopWhen, abortSignal: controller.signal }).catch(() => null)
    await expect.poll(() => upstream.requests.length).toBe(1)
    controller.abort()
    expect(await upstream.requests[0]?.abandoned).toBe(true)
    await generated
  })

  it.each([
    [{ tools: ["items.list"] }, ["inventory_org_main_items_list", "inventory_org_other_items_list"]],
    [{ tools: ["tools.inventory.org.other.items.list"] }, ["inventory_org_other_items_list"]],
    [{ connection: "other", tools: ["items.list"] }, ["inventory_org_other_items_list"]],
    [{ connection: "tools.inventory.org.main", tools: ["items.list"] }, ["inventory_org_main_items_list"]],
    [{ owner: "user" }, []],
    [{ integration: "nope" }, []],
  ] as const)("keeps to %j", async (options, expected) => {
    const { executor, connect } = await setStage()
    await connect("other")
    expect(Object.keys(await aiSdkTools(executor, options))).toEqual(expected)
  })

  it("refuses to give more than a model can bear", async () => {
    const { executor } = await setStage()
    const rejection: unknown = await aiSdkTools(executor, { limit: 2 }).catch((error: unknown) => error)
    expect(rejection).toBeInstanceOf(TooManyToolsError)
    expect(rejection).toMatchObject({ limit: 2, message: expect.stringContaining("search: true") })
    expect(Object.keys(await aiSdkTools(executor, { limit: 2, tools: ["items.list"] }))).toHaveLength(1)
  })

  it("gives an agent the tools that it was granted", async () => {
    const { executor } = await setStage()
    const agent = await executor.agents.create({ id: "reader", integrations: ["inventory"] })
    await executor.agents.grant(agent.id, {
      connection: { owner: "org", integration: "inventory", name: "main" },
      access: "read",
    })
    expect(Object.keys(await aiSdkTools(await executor.asAgent(agent.id)))).toEqual(["inventory_org_main_items_list"])
  })
})

describe("search and call", () => {
  it("finds a tool and calls it", async () => {
    const { executor, upstream, scanner, secret } = await setStage()
    const tools = await aiSdkTools(executor, { search: true })
    expect(Object.keys(tools)).toEqual(["search_tools", "call_tool"])
    const model = scriptedModel([
      { tool: "search_tools", input: { query: "what is in stock", limit: 1 } },
      (shown) => {
        const { value } = shown as { value: { tools: ReadonlyArray<{ address: string }> } }
        return { tool: "call_tool", input: { address: value.tools[0]?.address } }
      },
      { text: "One lamp." },
    ])
    const { text, steps } = await generateText({ model, tools, prompt, stopWhen })
    expect(lastResult(model.doGenerateCalls[1]?.prompt)).toMatchObject({
      value: {
        tools: [
          {
            address: "tools.inventory.org.main.items.list",
            description: "List the items in stock",
            input: expect.any(String),
            readOnly: true,
          },
        ],
      },
    })
    expect(lastResult(model.doGenerateCalls[2]?.prompt)).toMatchObject({ value: { items: ["LAMP-1"] } })
    expect(text).toBe("One lamp.")
    expect(upstream.requests[0]?.headers.authorization).toBe(`Bearer ${secret}`)
    scanner.expectNone(model.doGenerateCalls, "what the model was shown")
    scanner.expectNone(steps, "what the host gets")
  })

  it("passes arguments on, and tells several accounts apart", async () => {
    const { executor, upstream, connect } = await setStage({ routes: { "POST /items": { status: 201, json: {} } } })
    await connect("other")
    const tools = await aiSdkTools(executor, { search: true })
    const model = scriptedModel([
      { tool: "search_tools", input: { query: "add an item" } },
      {
        tool: "call_tool",
        input: { address: "tools.inventory.org.other.items.create", arguments: { body: { sku: "DESK-2" } } },
      },
    ])
    await generateText({ model, tools, prompt, stopWhen })
    const { value } = lastResult(model.doGenerateCalls[1]?.prompt) as { value: { tools: ReadonlyArray<object> } }
    expect(value.tools[0]).toMatchObject({
      address: "tools.inventory.org.main.items.create",
      otherAccounts: ["tools.inventory.org.other.items.create"],
    })
    expect(upstream.requests[0]?.json()).toEqual({ sku: "DESK-2" })
  })

  it.each([
    "tools.inventory.org.main.items.delete",
    "tools.inventory.org.other.items.list",
    "tools.inventory.items.list",
    "tools.secret.org.main.items.list",
    "items.list",
    "",
  ])("does not call %j, which it does not offer", async (address) => {
    const { executor, upstream, connect } = await setStage()
    await connect("other")
    const tools = await aiSdkTools(executor, {
      search: true,
      integration: "inventory",
      connection: "main",
      tools: ["items.list"],
    })
    const model = scriptedModel([
      { tool: "call_tool", input: { address } },
      { tool: "search_tools", input: { query: "item", limit: 20 } },
    ])
    await generateText({ model, tools, prompt, stopWhen })
    expect(lastResult(model.doGenerateCalls[1]?.prompt)).toMatchObject({
      type: "error-json",
      value: { error: { code: "tool_not_offered" } },
    })
    const { value } = lastResult(model.doGenerateCalls[2]?.prompt) as { value: { tools: ReadonlyArray<object> } }
    expect(value.tools).toMatchObject([{ address: "tools.inventory.org.main.items.list" }])
    expect(upstream.requests).toHaveLength(0)
  })
})
