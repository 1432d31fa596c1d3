/** What grows with the number of connections: creating them, holding them, listing their tools. GitHub's API, 1,200 operations. */
import { createExecutor, memoryProvider } from "@keyward/core"
import { openApiPlugin } from "@keyward/plugin-openapi"
import { gitHubDocument } from "./gitHubDocument.ts"
import { heldBytes, median, type Row, sample } from "./measure.ts"

/** Runs the suite. */
export const scale = async (): Promise<ReadonlyArray<Row>> => {
  const suite = "scale"
  const spec = gitHubDocument()
  const openApi = openApiPlugin()
  await using executor = await createExecutor({ plugins: [openApi], providers: [memoryProvider()] })
  const startedAt = performance.now()
  await executor.openapi.addSpec({
    slug: "github",
    spec,
    authTemplates: [{ slug: "bearer", type: "bearer" }],
  })
  const addSpecMs = performance.now() - startedAt
  const create = async (index: number): Promise<void> => {
    await executor.connections.create({
      owner: "org",
      integration: "github",
      name: `account${index}`,
      template: "bearer",
      value: `token-${index}`,
    })
  }
  await create(0)
  const tools = (await executor.tools.list({ connection: "account0" })).length
  const before = heldBytes()
  const costs = new Map<number, number>()
  let made = 1
  for (const [from, to] of [
    [1, 100],
    [100, 1_000],
    [1_000, 9_000],
    [9_000, 10_000],
  ] as const) {
    const stretchAt = performance.now()
    for (let index = from; index < to; index += 1) await create(index)
    costs.set(to, (performance.now() - stretchAt) / (to - from))
    made = to
  }
  const bytes = (heldBytes() - before) / (made - 1)
  const list = await sample(() => executor.tools.list({ query: "create issue comment" }), 30, 3)
  const early = costs.get(1_000) ?? Number.NaN
  const late = costs.get(10_000) ?? Number.NaN
  const describe = [...costs].map(([to, ms]) => `${ms.toFixed(3)} ms up to ${to.toLocaleString("en")}`).join(", ")
  return [
    {
      suite,
      name: `addSpec of GitHub's document (${tools.toLocaleString("en")} tools)`,
      value: `${(addSpecMs / 1000).toFixed(2)} s`,
      target: "≤ 1.5 s",
      isMet: addSpecMs <= 1500,
    },
    {
      suite,
      name: "connections.create",
      value: describe,
      target: "≤ 0.2 ms, flat",
      isMet: median([...costs.values()]) <= 0.2 && late <= Math.max(early * 1.5, 0.05),
    },
    {
      suite,
      name: "held per connection, its secret included (10,000 of them)",
      value: `${Math.round(bytes)} bytes`,
      target: "≤ 1 KB",
      isMet: bytes <= 1024,
    },
    {
      suite,
      name: "tools.list with a query over 10,000 connections, p50",
      value: `${(list.p50Us / 1000).toFixed(1)} ms`,
      target: "≤ 10 ms",
      isMet: list.p50Us <= 10_000,
    },
  ]
}
