/**
 * Runs every `examples/NN-story/main.ts` one after the other and fails when one of them does.
 *
 * Each runs on this Node against the sources, with an empty home directory and without the network: outgoing
 * connections to anything but this machine are refused by `offline.mjs`, and GITHUB_TOKEN, with which an example makes a real
 * call, is left out. An example without a main.ts fails too. The quickstart runs three times: as it is, and twice over data that it
 * keeps.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const workspace = join(import.meta.dirname, "../..")
const offline = join(import.meta.dirname, "offline.mjs")
const timeoutMs = 60_000

const stories = readdirSync(join(workspace, "examples"))
  .filter((name) => /^\d\d-/.test(name))
  .toSorted()

const failed = stories.filter((story) => !runsWell(story))

console.log(`\n${stories.length - failed.length} of ${stories.length} examples ran well`)
if (failed.length > 0) {
  console.error(`failed: ${failed.join(", ")}`)
  process.exit(1)
}

function runsWell(story: string): boolean {
  const directory = join(workspace, "examples", story)
  console.log(`\n── ${story}`)
  if (!existsSync(join(directory, "main.ts"))) {
    console.error(`examples/${story} has no main.ts`)
    return false
  }
  const home = mkdtempSync(join(tmpdir(), "keyward-example-"))
  try {
    return runsOf(story, home).every((given) => {
      const { status, signal } = spawnSync(
        process.execPath,
        ["--conditions=@keyward/source", "--import", offline, "main.ts", ...given],
        {
          cwd: directory,
          stdio: "inherit",
          timeout: timeoutMs,
          env: { ...process.env, HOME: home, GITHUB_TOKEN: undefined },
        },
      )
      if (signal !== null) console.error(`examples/${story} was ended by ${signal} (limit: ${timeoutMs / 1000} s)`)
      return status === 0
    })
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

/** The arguments of each run of an example. */
function runsOf(story: string, home: string): ReadonlyArray<ReadonlyArray<string>> {
  const kept = ["--data", join(home, "data")]
  return story === "01-quickstart" ? [[], kept, kept] : [[]]
}
