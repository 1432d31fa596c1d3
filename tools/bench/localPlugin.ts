/** A plugin whose one tool adds two numbers: what is measured with it is everything around a tool. */
import { definePlugin, variable } from "@keyward/core"

/** Integrations at `https://api.example.com` that want a key in a header. */
export const localPlugin = definePlugin({
  id: "local",
  catalog: "integration",
  extension: (context) => ({
    add: (slug: string) =>
      context.integrations.register({
        slug,
        baseUrl: "https://api.example.com",
        authTemplates: [{ slug: "apiKey", type: "apiKey", headers: { "X-API-Key": [variable("token")] } }],
      }),
  }),
  resolveTools: () => [
    {
      name: "add",
      annotations: { readOnlyHint: true },
      inputSchema: {
        type: "object",
        properties: { one: { type: "number" }, other: { type: "number" } },
        required: ["one", "other"],
      },
    },
  ],
  invokeTool: ({ args }) => Number(args["one"]) + Number(args["other"]),
})
