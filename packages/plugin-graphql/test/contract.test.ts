/**
 * The contract of plugins, on a schema whose arguments go to every kind of variable, and on the raw tool.
 */
import { pluginContract } from "@keyward/core/testing"
import { describe, it } from "vitest"
import { graphqlPlugin } from "../src/index.ts"

const schema = /* GraphQL */ `
  input ItemInput {
    name: String!
    tags: [String!]
    inner: ItemInput
  }
  scalar Anything
  type Item {
    id: ID!
    name: String
  }
  type Query {
    item(id: ID!, note: String): Item
    size: Int
  }
  type Mutation {
    createItem(input: ItemInput!, extra: Anything): Item
  }
`

describe("the plugin contract", () => {
  const cases = pluginContract(() => ({
    plugin: graphqlPlugin(),
    register: async (executor, baseUrl) => {
      const { slug } = await executor.graphql.addIntegration({
        slug: "everywhere",
        endpoint: `${baseUrl}/graphql`,
        schema,
        authTemplates: [{ slug: "basic", type: "basic" }],
      })
      return { slug, template: "basic", variables: ["username", "password"] }
    },
    calls: [
      { tool: "query.item", args: { id: "1", note: "a" } },
      { tool: "query.item", args: { id: "1", select: "{ id name }" } },
      { tool: "mutation.createItem", args: { input: { name: "n", tags: ["t"], inner: { name: "m" } }, extra: "x" } },
      { tool: "query", args: { query: "query A($id: ID!) { item(id: $id) { id } }", variables: { id: "1" } } },
    ],
    answer: ({ text, rawHeaders }) => ({
      json: { data: { item: { text, rawHeaders }, createItem: { text, rawHeaders } } },
    }),
  }))
  for (const { name, run } of cases) it(name, run)
})
