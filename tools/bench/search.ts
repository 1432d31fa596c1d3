/** Finding a tool among ten thousand: the first search, which makes the indexes, and those of every turn after it. */
import { createExecutor, definePlugin, type ToolDef } from "@keyward/core"
import { openApiPlugin } from "@keyward/plugin-openapi"
import { gitHubDocument } from "./gitHubDocument.ts"
import { heldBytes, type Row, sample } from "./measure.ts"

const copies = 8

const queries = [
  "create an issue",
  "list open pull requests of a repository",
  "upload a file to a release",
  "who is the authenticated user",
  "set a secret for actions in an organization",
]

/** Runs the suite. */
export const search = async (): Promise<ReadonlyArray<Row>> => {
  const tools = await gitHubTools()
  const all: ReadonlyArray<ToolDef> = Array.from({ length: copies + 1 }, (_, copy) =>
    tools.map((tool) => ({ ...tool, name: `${tool.name}${copy === 0 ? "" : copy}` })),
  )
    .flat()
    .slice(0, 10_000)
  return [...(await measure("one catalog", 1, all)), ...(await measure("ten catalogs", 10, all))]
}

/** GitHub's operations with all that is known of them. */
const gitHubTools = async (): Promise<ReadonlyArray<ToolDef>> => {
  await using executor = await createExecutor({ plugins: [openApiPlugin()] })
  await executor.openapi.addSpec({
    slug: "github",
    spec: gitHubDocument(),
    authTemplates: [{ slug: "bearer", type: "bearer" }],
  })
  const ref = { owner: "org", integration: "github", name: "main" } as const
  await executor.connections.create({ ...ref, template: "none" })
  const listed = await executor.tools.list()
  return listed.map(({ name, description, annotations }) => ({ name, description: description ?? "", annotations }))
}

const measure = async (what: string, catalogs: number, tools: ReadonlyArray<ToolDef>): Promise<ReadonlyArray<Row>> => {
  const share = Math.ceil(tools.length / catalogs)
  const plugin = definePlugin({
    id: "copied",
    catalog: "integration",
    extension: ({ integrations }) => ({ add: (slug: string) => integrations.register({ slug }) }),
    resolveTools: ({ integration }) => {
      const from = Number(integration.slug.slice("api".length)) * share
      return tools.slice(from, from + share)
    },
    invokeTool: () => null,
  })
  await using executor = await createExecutor({ plugins: [plugin] })
  for (let index = 0; index < catalogs; index += 1) {
    await executor.copied.add(`api${index}`)
    for (let account = 0; account < 50 / catalogs; account += 1) {
      const ref = { owner: "org", integration: `api${index}`, name: `account${account}` } as const
      await executor.connections.create({ ...ref, template: "none" })
    }
  }
  const before = heldBytes()
  const startedAt = performance.now()
  await executor.tools.search({ query: "create an issue" })
  const firstMs = performance.now() - startedAt
  const bytes = heldBytes() - before
  const suite = "search"
  const over = `over ${tools.length.toLocaleString("en")} tools in ${what}, 50 connections`
  let turn = 0
  const { p50Us, p99Us } = await sample(() => {
    turn += 1
    return executor.tools.search({ query: queries[turn % queries.length] ?? "" })
  }, 200)
  return [
    {
      suite,
      name: `the first tools.search ${over}`,
      value: `${Math.round(firstMs)} ms, ${Math.round(bytes / 2 ** 20)} MB held`,
    },
    {
      suite,
      name: `tools.search ${over}`,
      value: `${(p50Us / 1000).toFixed(1)} ms p50, ${(p99Us / 1000).toFixed(1)} ms p99`,
      target: "≤ 10 ms",
      isMet: p50Us <= 10_000,
    },
  ]
}
