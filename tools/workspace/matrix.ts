/**
 * Runs the whole test suite on the oldest and the newest supported Node.
 *
 * The binaries come from the private packages `tools/node22` and `tools/node26`. Their directory goes first on PATH,
 * so that processes started by a test run on the same Node. Every version runs, even after one has failed.
 */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"

const workspace = join(import.meta.dirname, "../..")

const failed = ["node22", "node26"].filter((tool) => !passesOn(tool))

if (failed.length > 0) {
  console.error(`\ntests failed on ${failed.join(" and ")}`)
  process.exit(1)
}

function passesOn(tool: string): boolean {
  const binaries = join(workspace, "tools", tool, "node_modules/.bin")
  const node = join(binaries, "node")
  console.log(`\n── ${tool}`)
  if (!existsSync(node)) {
    console.error(`tools/${tool} has no Node for this platform; run \`npx -y pnpm@12.21.0 install --force\``)
    return false
  }
  const { status } = spawnSync(
    node,
    [join(workspace, "node_modules/vitest/vitest.mjs"), "run", "--config", "vitest.workspace.ts"],
    {
      cwd: workspace,
      stdio: "inherit",
      env: { ...process.env, PATH: `${binaries}${delimiter}${process.env["PATH"]}` },
    },
  )
  return status === 0
}
