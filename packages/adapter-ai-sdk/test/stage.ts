/** The stage of these tests: an API on the loopback, an executor that holds a canary for it, and a model that follows a script. */
import { createExecutor, type ExecutorConfig, memoryProvider } from "@keyward/core"
import { canary, CanaryScanner, fakeUpstream, type UpstreamRoutes } from "@keyward/core/testing"
import { openApiPlugin } from "@keyward/plugin-openapi"
import { MockLanguageModelV4 } from "ai/test"
import { onTestFinished } from "vitest"

const document = (origin: string): object => ({
  openapi: "3.1.0",
  info: { title: "Inventory", version: "1" },
  servers: [{ url: origin }],
  paths: {
    "/items": {
      get: { operationId: "items/list", summary: "List the items in stock", responses: {} },
      post: {
        operationId: "items/create",
        summary: "Add an item to the stock",
        requestBody: {
          required: true,
          content: {
            "application/json": {
              schema: { type: "object", properties: { sku: { type: "string" } }, required: ["sku"] },
            },
          },
        },
        responses: {},
      },
    },
    "/items/{sku}": {
      delete: {
        operationId: "items/delete",
        summary: "Remove an item from the stock",
        parameters: [{ name: "sku", in: "path", required: true, schema: { type: "string" } }],
        responses: {},
      },
    },
  },
})

/** What {@link setStage} takes; everything has a default. */
export interface StageOptions {
  readonly routes?: UpstreamRoutes
  readonly config?: Omit<ExecutorConfig, "plugins" | "providers">
}

/** An executor with the integration `inventory` and its connection `main`, closed when the test is over. */
export const setStage = async ({ routes, config }: StageOptions = {}) => {
  const secret = canary("inventory")
  const upstream = await fakeUpstream(
    routes ?? { "GET /items": (request) => ({ json: { items: ["LAMP-1"], echo: request.headers.authorization } }) },
  )
  const executor = await createExecutor({
    plugins: [openApiPlugin()],
    providers: [memoryProvider()],
    ...config,
    egress: { allowHosts: [upstream.host] },
  })
  onTestFinished(async () => {
    await executor.close()
    await upstream.close()
  })
  await executor.openapi.addSpec({
    slug: "inventory",
    spec: document(upstream.origin),
    authTemplates: [{ slug: "token", type: "bearer" }],
  })
  const connect = (name: string) =>
    executor.connections.create({ owner: "org", integration: "inventory", name, template: "token", value: secret })
  await connect("main")
  return { executor, upstream, connect, secret, scanner: new CanaryScanner([secret]) }
}

/** One thing that the model does in its turn. */
export type Turn = { readonly tool: string; readonly input?: object } | { readonly text: string }

/** A model that does what the script says, turn by turn, and tells what it was shown. */
export const scriptedModel = (turns: ReadonlyArray<Turn | ((shown: unknown) => Turn)>): MockLanguageModelV4 => {
  const model: MockLanguageModelV4 = new MockLanguageModelV4({
    doGenerate: async ({ prompt }) => {
      const given = turns[model.doGenerateCalls.length - 1] ?? { text: "done" }
      const turn = typeof given === "function" ? given(lastResult(prompt)) : given
      return {
        content: [
          "text" in turn
            ? { type: "text", text: turn.text }
            : {
                type: "tool-call",
                toolCallId: `call-${model.doGenerateCalls.length}`,
                toolName: turn.tool,
                input: JSON.stringify(turn.input ?? {}),
              },
        ],
        finishReason: { unified: "text" in turn ? "stop" : "tool-calls", raw: undefined },
        usage: {
          inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
          outputTokens: { total: 1, text: 1, reasoning: 0 },
        },
        warnings: [],
      }
    },
  })
  return model
}

/** What the last tool result in a prompt holds, as the model reads it. */
export const lastResult = (prompt: unknown): unknown => {
  const messages = prompt as ReadonlyArray<{
    readonly role: string
    readonly content: ReadonlyArray<{ output?: unknown }>
  }>
  return messages.findLast(({ role }) => role === "tool")?.content.at(-1)?.output
}
