/**
 * Runs the test suite on the oldest and the newest supported Node, without what takes long and depends on neither.
 *
 * What is left out has run on the Node of the lockfile, which `pnpm test` uses; `pnpm test:matrix --all` leaves out
 * nothing. The binaries come from the private packages `tools/node22` and `tools/node26`. Their directory goes first on
 * PATH, so that processes started by a test run on the same Node. Every version runs, even after one has failed.
 */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"

/** Long, and about databases, other programs, many processes or documents rather than about Node. */
const leftOut = [
  "packages/core/test/executor/oauth/canaries.test.ts",
  "packages/core/test/model/**",
  "packages/core/test/testing/storeContract.test.ts",
  "packages/plugin-graphql/test/{properties,publicSchema}.test.ts",
  "packages/plugin-openapi/test/{publicDocuments,search/*}.test.ts",
  "packages/provider-encrypted-file/test/{FileLock,vaultLog}.test.ts",
  "packages/provider-keychain/test/Keychain.test.ts",
  "packages/provider-onepassword/test/OnePassword.test.ts",
  "packages/store-sql/test/{PgBouncer,PostgresContract,SqlLease,SqlSecretProvider,approvals,audit,auditedChanges,cachedReads,confirmedChanges,keepAlive,lateStatements,model,outage}.test.ts",
  "tools/docs/test/running.test.ts",
]
const exclusions = process.argv.includes("--all") ? "" : leftOut.join(" ")

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
      env: { ...process.env, KEYWARD_TEST_EXCLUDE: exclusions, PATH: `${binaries}${delimiter}${process.env["PATH"]}` },
    },
  )
  return status === 0
}
