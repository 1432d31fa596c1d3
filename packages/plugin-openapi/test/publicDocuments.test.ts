import { globSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { createExecutor } from "@keyward/core"
import { Ajv2020 } from "ajv/dist/2020.js"
import { describe, expect, it } from "vitest"
import { openApiPlugin } from "../src/index.ts"
import { catalogueOf } from "./support/catalogueOf.ts"

const require = createRequire(import.meta.url)
const examples = dirname(require.resolve("@readme/oas-examples/package.json"))
const documents = globSync("{2.0,3.0,3.1}/json/*.json", { cwd: examples }).sort()
const github = () => require("@octokit/openapi/generated/api.github.com.json") as object

describe("the example documents of ReadMe", () => {
  it("are found", () => {
    expect(documents.length).toBeGreaterThan(50)
  })

  it.each(documents)("%s gives tools whose schemas compile and whose builders can be made", async (file) => {
    const text = readFileSync(join(examples, file), "utf8")
    const catalogue = await catalogueOf(text)
    const paths = (JSON.parse(text) as { paths?: object }).paths ?? {}
    expect(catalogue.operations.length > 0).toBe(Object.keys(paths).length > 0)
    // Compiling is slow, and many operations of one document share their schemas.
    const schemas = new Map<string, object>()
    for (const { name } of catalogue.operations) {
      const { inputSchema, outputSchema } = catalogue.describe(name)!
      for (const schema of [inputSchema, outputSchema ?? {}]) schemas.set(JSON.stringify(schema), schema)
      expect(catalogue.operation(name)).toBeDefined()
    }
    const ajv = new Ajv2020({ strict: false, validateFormats: false, addUsedSchema: false })
    for (const schema of schemas.values()) ajv.compile(schema)
  })
})

describe("GitHub's document", () => {
  it("gives its 1,223 operations as tools under the names people know", async () => {
    await using executor = await createExecutor({ plugins: [openApiPlugin()] })
    const integration = await executor.openapi.addSpec({
      slug: "github",
      spec: github(),
      authTemplates: [{ slug: "bearer", type: "bearer" }],
    })
    expect(integration).toMatchObject({
      baseUrl: "https://api.github.com/",
      origins: ["https://api.github.com", "https://uploads.github.com"],
    })
    await executor.connections.create({ owner: "org", integration: "github", name: "main", template: "none" })
    const tools = await executor.tools.list({ integration: "github" })
    expect(tools).toHaveLength(1223)
    const names = new Set(tools.map(({ name }) => name))
    for (const name of ["repos.get", "issues.create", "actions.listJobsForWorkflowRun", "git.getTree"])
      expect(names).toContain(name)
    expect(await executor.tools.schema("tools.github.org.main.repos.get")).toMatchObject({
      inputSchema: { required: ["owner", "repo"] },
      inputTypeScript: expect.stringContaining("owner: string"),
    })
  })

  it("sends an upload to the server of that operation", async () => {
    const catalogue = await catalogueOf(github(), { origins: ["https://api.github.com", "https://uploads.github.com"] })
    const request = catalogue.operation("repos.uploadReleaseAsset")!.build({
      owner: "o",
      repo: "r",
      release_id: 1,
      name: "a b.zip",
      body: { base64: "AAA=" },
    })
    expect(request.url).toBe("https://uploads.github.com/repos/o/r/releases/1/assets?name=a%20b.zip")
  })
})
