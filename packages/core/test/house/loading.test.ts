/** `import "@keyward/core"` stays light: what speaks OAuth is loaded with the first verb that needs it. */
import { spawnSync } from "node:child_process"
import { expect, it } from "vitest"

const program = `
  import { registerHooks } from "node:module"
  const loaded = new Set()
  registerHooks({
    load(url, context, next) {
      const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)\\/(?!.*node_modules)/.exec(url)?.[1]
      if (name !== undefined) loaded.add(name)
      return next(url, context)
    },
  })
  const { createExecutor } = await import("@keyward/core")
  const executor = await createExecutor()
  await executor.tools.list()
  const before = [...loaded]
  await executor.oauth.probe({ url: "http://127.0.0.1:1" }).catch(() => {})
  console.log(JSON.stringify({ before, after: [...loaded] }))
`

it("loads the libraries of OAuth with its first verb, and not before", () => {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--conditions=@keyward/source", "--input-type=module", "--eval", program],
    { cwd: import.meta.dirname, encoding: "utf8" },
  )
  if (stdout === "") throw new Error(stderr)
  const { before, after } = JSON.parse(stdout) as Record<"before" | "after", ReadonlyArray<string>>
  expect(before).toContain("effect")
  expect(before).not.toContain("oauth4webapi")
  expect(before).not.toContain("jose")
  expect(after).toContain("oauth4webapi")
})
