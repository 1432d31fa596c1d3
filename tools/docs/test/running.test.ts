/**
 * Pages that need nothing but this machine do what they show: their fences are run, one process for each, in the order of the page.
 *
 * The other pages talk to services that are not there; `fences.ts` type-checks those.
 */
import { spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { readFences, toModules } from "../markdownFences.ts"

const workspace = join(import.meta.dirname, "../../..")

/** What the pages take from the environment. */
const env = {
  ...process.env,
  NODE_OPTIONS: undefined,
  NODE_TEST_CONTEXT: undefined,
  ...Object.fromEntries(
    ["KEYWARD_IDENTITY_KEY", "KEYWARD_AUDIT_KEY", "VAULT_KEY"].map((name) => [
      name,
      randomBytes(32).toString("base64"),
    ]),
  ),
}

const makeFolder = (prefix: string): string => {
  const folder = mkdtempSync(prefix)
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

describe.each([
  "docs/concepts/agent.md",
  "docs/concepts/credential.md",
  "docs/concepts/policy.md",
  "docs/guides/audit.md",
  "docs/guides/keep-secrets-in-an-encrypted-file.md",
  "docs/guides/seal-an-identity.md",
  "docs/guides/test-oauth.md",
  "docs/guides/write-a-plugin.md",
  "docs/guides/write-a-provider.md",
])("%s", (page) => {
  it("runs as it is written", () => {
    // Below docs, because the packages and their names resolve from there.
    const scripts = makeFolder(join(workspace, "docs/.run-"))
    const cwd = makeFolder(join(tmpdir(), "keyward-page-"))
    for (const { fileName, lines } of toModules(readFences(page, readFileSync(join(workspace, page), "utf8")))) {
      const script = join(scripts, fileName)
      writeFileSync(script, lines.join("\n"))
      const { status, stdout, stderr } = spawnSync(process.execPath, ["--conditions=@keyward/source", script], {
        cwd,
        env,
        encoding: "utf8",
      })
      expect({ status, output: status === 0 ? "" : `${stdout}\n${stderr}` }).toEqual({ status: 0, output: "" })
    }
  }, 60_000)
})
