/**
 * The contract of plugins, on a document that uses every place an argument can go to and a credential of several parts.
 */
import { pluginContract } from "@keyward/core/testing"
import { describe, it } from "vitest"
import { openApiPlugin } from "../src/index.ts"

const text = { schema: { type: "string" } }

const document = {
  openapi: "3.1.0",
  info: { title: "Everywhere", version: "1" },
  security: [{ user: [], app: [], region: [], session: [] }],
  components: {
    securitySchemes: {
      user: { type: "http", scheme: "basic" },
      app: { type: "apiKey", in: "header", name: "X-App" },
      region: { type: "apiKey", in: "query", name: "region" },
      session: { type: "apiKey", in: "cookie", name: "session" },
    },
  },
  paths: {
    "/items/{id}/{label}": {
      get: {
        operationId: "items/get",
        parameters: [
          { name: "id", in: "path", required: true, ...text },
          { name: "label", in: "path", required: true, style: "label", ...text },
          { name: "q", in: "query", ...text },
          { name: "reserved", in: "query", allowReserved: true, ...text },
          { name: "filter", in: "query", style: "deepObject", schema: { type: "object" } },
          { name: "X-Note", in: "header", ...text },
          { name: "theme", in: "cookie", ...text },
        ],
        responses: {},
      },
    },
    "/items": {
      post: {
        operationId: "items/create",
        requestBody: { content: { "application/json": { schema: { type: "object" } } } },
        responses: {},
      },
      put: {
        operationId: "items/form",
        requestBody: { content: { "application/x-www-form-urlencoded": { schema: { type: "object" } } } },
        responses: {},
      },
      patch: {
        operationId: "items/upload",
        requestBody: {
          content: {
            "multipart/form-data": {
              schema: {
                type: "object",
                properties: { file: { type: "string", format: "binary" }, note: { type: "string" } },
              },
            },
          },
        },
        responses: {},
      },
    },
  },
}

describe("the plugin contract", () => {
  const cases = pluginContract(() => ({
    plugin: openApiPlugin(),
    register: async (executor, baseUrl) => {
      const { slug, authTemplates } = await executor.openapi.addSpec({ slug: "everywhere", spec: document, baseUrl })
      return {
        slug,
        template: authTemplates[0]?.slug ?? "",
        variables: ["username", "password", "app", "region", "session"],
      }
    },
    calls: [
      {
        tool: "items.get",
        args: { id: "1", label: "a", q: "b", reserved: "c", filter: { d: "e" }, "X-Note": "f", theme: "g" },
      },
      { tool: "items.create", args: { body: { name: "n" } } },
      { tool: "items.form", args: { body: { name: "n", nested: { a: "b" } } } },
      {
        tool: "items.upload",
        args: { body: { file: { text: "x", filename: "y.txt", contentType: "text/plain" }, note: "z" } },
      },
    ],
  }))
  for (const { name, run } of cases) it(name, run)
})
