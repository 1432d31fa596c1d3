/** GitHub's schema: large, real, and in places against the specification. */
import { createExecutor } from "@keyward/core"
import { Ajv2020 } from "ajv/dist/2020.js"
import { describe, expect, it } from "vitest"
import { graphqlPlugin } from "../src/index.ts"
import { catalogueOf, complaints, gitHubSchema, inputOf } from "./support/catalogueOf.ts"

describe("GitHub's schema", () => {
  it("gives tools whose input schemas compile and whose operations fit it", () => {
    const catalogue = catalogueOf(gitHubSchema())
    expect(catalogue.fields.length).toBeGreaterThan(250)
    for (const { name } of catalogue.fields) {
      const schema = inputOf(catalogue, name)
      expect(JSON.stringify(schema).length).toBeLessThan(100_000)
      new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema)
      expect([name, complaints(catalogue.schema, catalogue.operation(name)?.document ?? "")]).toEqual([name, []])
    }
  }, 60_000)

  it("becomes an integration whose tools say what to send", async () => {
    await using executor = await createExecutor({ plugins: [graphqlPlugin()] })
    await executor.graphql.addIntegration({
      slug: "github",
      endpoint: "https://api.github.com/graphql",
      schema: gitHubSchema(),
    })
    await executor.connections.create({ owner: "org", integration: "github", name: "main", template: "none" })
    const names = new Set((await executor.tools.list({ integration: "github" })).map(({ name }) => name))
    for (const name of ["query", "query.repository", "query.viewer", "mutation.createIssue", "mutation.addStar"]) {
      expect(names).toContain(name)
    }
    expect(await executor.tools.schema("tools.github.org.main.mutation.createIssue")).toMatchObject({
      inputSchema: {
        required: ["input"],
        $defs: { CreateIssueInput: { required: ["repositoryId", "title"] } },
      },
    })
  })
})
