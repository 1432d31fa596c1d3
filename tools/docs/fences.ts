/**
 * Type-checks every TypeScript fence of the documentation against the sources of the workspace.
 *
 * Reads README.md, CONTRIBUTING.md, examples/README.md, docs and packages/<name>/README.md. Each ```ts fence is a module of its own;
 * ```ts continued goes on where the page's previous fence ended and sees its names. ```ts no-check is for
 * pseudo-signatures: such fences are counted and reported. The modules live in docs/.fences while TypeScript runs,
 * because the packages and their names resolve from there, and its messages are mapped back to the page's lines.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { type Fence, readFences, toModules } from "./markdownFences.ts"

const workspace = join(import.meta.dirname, "../..")
const scratch = join(workspace, "docs/.fences")
const tsc = join(workspace, "node_modules/typescript7/bin/tsc")

const fences = pages().flatMap((page) => readFences(page, readFileSync(join(workspace, page), "utf8")))
const unchecked = fences.filter((fence) => fence.mode === "no-check")

const failed = checkModules(fences)
report()
if (failed) process.exit(1)

function pages(): ReadonlyArray<string> {
  const topLevel = ["README.md", "CONTRIBUTING.md", "examples/README.md"]
  const packages = readdirSync(join(workspace, "packages")).map((name) => `packages/${name}/README.md`)
  const docs = readdirSync(join(workspace, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md") && !/(^|[\\/])node_modules[\\/]/.test(name))
    .filter((name) => !/^(\.fences|\.vitepress|reference[\\/]api)[\\/]/.test(name))
    .map((name) => `docs/${name}`)
  return [...topLevel, ...packages, ...docs].filter((page) => existsSync(join(workspace, page))).toSorted()
}

function checkModules(all: ReadonlyArray<Fence>): boolean {
  const modules = toModules(all)
  if (modules.length === 0) return false
  rmSync(scratch, { recursive: true, force: true })
  mkdirSync(scratch)
  try {
    for (const module of modules) writeFileSync(join(scratch, module.fileName), module.lines.join("\n"))
    writeFileSync(
      join(scratch, "tsconfig.json"),
      JSON.stringify({ extends: "../../tsconfig.base.json", include: ["*.ts"] }),
    )
    const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", scratch, "--pretty", "false"], {
      cwd: scratch,
      encoding: "utf8",
    })
    if (stdout.trim() !== "") console.error(stdout.split("\n").map(atPageLine).join("\n"))
    return status !== 0
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }

  function atPageLine(line: string): string {
    const match = /^(?:.*[\\/])?(fence-\d+\.ts)\((\d+),(\d+)\): (.*)$/.exec(line)
    const module = modules.find(({ fileName }) => fileName === match?.[1])
    if (match === null || module === undefined) return line
    const pageLine = module.pageLines[Number(match[2]) - 1] ?? module.pageLines.at(-1)
    return `${module.page}:${pageLine}:${match[3]} ${match[4]}`
  }
}

function report(): void {
  const pageCount = new Set(fences.map((fence) => fence.page)).size
  console.log(
    `${fences.length - unchecked.length} fences checked, ${unchecked.length} not checked, on ${pageCount} pages`,
  )
  for (const fence of unchecked) console.log(`  not checked: ${relative(".", fence.page)}:${fence.line}`)
}
