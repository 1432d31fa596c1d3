/**
 * A service that echoes a secret as a JSON number gets no failure out of a tool call, and the model gets no secret.
 */
import { createExecutor, definePlugin, memoryProvider, variable } from "@keyward/core"
import { CanaryScanner, fakeUpstream } from "@keyward/core/testing"
import { expect, it } from "vitest"

const acme = definePlugin({
  id: "acme",
  extension: (context) => ({
    add: (baseUrl: string) =>
      context.integrations.register({
        slug: "acme",
        baseUrl,
        authTemplates: [{ slug: "key", type: "apiKey", headers: { "X-Key": [variable("token")] } }],
      }),
  }),
  resolveTools: () => [
    { name: "echo", annotations: { readOnlyHint: true } },
    { name: "broken", annotations: { readOnlyHint: true } },
  ],
  invokeTool: async ({ tool, send }) => (await send({ url: `/${tool.name}` })).json(),
})

it("a secret that is a number is taken out of the value, not out of the syntax", async () => {
  const secret = "1234567890123"
  await using upstream = await fakeUpstream({
    "/echo": { json: { account: Number(secret), text: `key ${secret}`, other: 7 } },
    "/broken": { body: `{"account": ${secret}, "cut` },
  })
  await using executor = await createExecutor({
    plugins: [acme],
    providers: [memoryProvider()],
    egress: { allowHosts: [upstream.host] },
  })
  await executor.acme.add(upstream.origin)
  const ref = { owner: "org", integration: "acme", name: "main" } as const
  await executor.connections.create({ ...ref, template: "key", value: secret })
  const echo = await executor.execute("tools.acme.org.main.echo", {})
  expect(echo).toMatchObject({ ok: true, data: { account: "<redacted>", text: "key <redacted>", other: 7 } })
  const broken = await executor.execute("tools.acme.org.main.broken", {})
  expect(broken.ok).toBe(false)
  new CanaryScanner([secret]).expectNone([echo, broken], "the results")
})
