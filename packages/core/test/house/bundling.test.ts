/** A host that is bundled: what core loads only when it needs it is found in the bundle, or beside it. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { build, type BuildOptions } from "esbuild"
import { expect, it, onTestFinished } from "vitest"

/** Checks arguments, sends a request and searches: ajv, undici and MiniSearch are loaded for that. */
const program = `
  import { createServer } from "node:http"
  import { createExecutor, definePlugin, memoryProvider } from "@keyward/core"

  const main = async () => {
    const server = createServer((request, response) => response.end(request.headers.authorization))
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
    const host = \`127.0.0.1:\${server.address().port}\`
    const echo = definePlugin({
      id: "echo",
      extension: ({ integrations }) => ({
        add: () =>
          integrations.register({ slug: "echo", baseUrl: \`http://\${host}\`, authTemplates: [{ slug: "bearer", type: "bearer" }] }),
      }),
      resolveTools: () => [
        { name: "say", annotations: { readOnlyHint: true }, inputSchema: { type: "object", required: ["text"] } },
      ],
      invokeTool: async ({ send }) => (await send({ url: "/" })).text(),
    })
    const executor = await createExecutor({ plugins: [echo], providers: [memoryProvider()], egress: { allowHosts: [host] } })
    await executor.echo.add()
    const ref = { owner: "org", integration: "echo", name: "main" }
    await executor.connections.create({ ...ref, template: "bearer", value: "secret-token" })
    const refused = await executor.execute("tools.echo.org.main.say", {})
    const called = await executor.execute("tools.echo.org.main.say", { text: "hello" })
    const [found] = await executor.tools.search({ query: "say" })
    console.log(JSON.stringify([refused.error?.code, called, found?.name]))
    await executor.close()
    server.close()
  }
  void main()
`

/** Packages of CommonJS call it, and there is none in a module. */
const withRequire = {
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
}

const ways: ReadonlyArray<readonly [string, BuildOptions]> = [
  ["one file of CommonJS", { format: "cjs", outExtension: { ".js": ".cjs" } }],
  ["one ES module with a require", { format: "esm", outExtension: { ".js": ".mjs" }, ...withRequire }],
  [
    "ES modules that are split, with a require",
    { format: "esm", splitting: true, outExtension: { ".js": ".mjs" }, ...withRequire },
  ],
  [
    "ES modules that are split, undici beside them",
    { format: "esm", splitting: true, outExtension: { ".js": ".mjs" }, external: ["undici"] },
  ],
]

it.each(ways)("a host calls and searches tools as %s", async (_, options) => {
  const folder = mkdtempSync(join(tmpdir(), "keyward-bundle-"))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  // For what is left out of the bundle.
  symlinkSync(join(import.meta.dirname, "../../node_modules"), join(folder, "node_modules"), "junction")
  await build({
    stdin: { contents: program, resolveDir: import.meta.dirname, sourcefile: "host.ts" },
    outdir: folder,
    bundle: true,
    platform: "node",
    target: "node22",
    conditions: ["@keyward/source"],
    logLevel: "silent",
    ...options,
  })
  const file = join(folder, `stdin${options.outExtension?.[".js"]}`)
  const { stdout, stderr } = spawnSync(process.execPath, [file], { encoding: "utf8" })
  expect(stderr).toBe("")
  expect(JSON.parse(stdout)).toEqual(["invalid_arguments", { ok: true, data: "Bearer <redacted>" }, "say"])
})
