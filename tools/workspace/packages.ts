/**
 * Checks every published package as it would leave: packed by pnpm, which applies `publishConfig.exports`.
 *
 * Packs each package into `.pack/<name>.tgz`, then runs publint (strict) and Are the Types Wrong (ESM only) on the
 * tarball and looks for two things neither knows: a source path among the exports, and a `workspace:` range. The size
 * budget in `.size-limit.json` measures the same tarballs; knip looks for unused code and dependencies. Everything
 * runs, even after something has failed. Expects `pnpm build` to have run.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"

const workspace = join(import.meta.dirname, "../..")
const packDirectory = join(workspace, ".pack")

rmSync(packDirectory, { recursive: true, force: true })
mkdirSync(packDirectory)

const failures = [...readdirSync(join(workspace, "packages")).flatMap(checkPackage), ...checkWorkspace()]

if (failures.length > 0) {
  console.error(`\nPackage checks failed:\n${failures.map((failure) => `  - ${failure}`).join("\n")}`)
  process.exit(1)
}

function checkPackage(name: string): ReadonlyArray<string> {
  console.log(`\n── ${name}`)
  const tarball = pack(name)
  return [
    ...manifestFailures(name, tarball),
    ...toolFailures(name, "publint", ["run", tarball, "--strict"]),
    ...toolFailures(name, "attw", [tarball, "--profile", "esm-only", "--no-definitely-typed", "--format", "ascii"]),
  ]
}

function checkWorkspace(): ReadonlyArray<string> {
  console.log("\n── workspace")
  return [...toolFailures("workspace", "size-limit", []), ...toolFailures("workspace", "knip", [])]
}

function pack(name: string): string {
  const packageRoot = join(workspace, "packages", name)
  const license = join(packageRoot, "LICENSE")
  const staging = join(packDirectory, `staging-${name}`)
  mkdirSync(staging)
  copyFileSync(join(workspace, "LICENSE"), license)
  try {
    execFileSync("pnpm", ["pack", "--pack-destination", staging], { cwd: packageRoot, stdio: "ignore" })
  } finally {
    rmSync(license)
  }
  const [packed] = readdirSync(staging)
  if (packed === undefined) throw new Error(`pnpm pack wrote no tarball for ${name}`)
  const tarball = join(packDirectory, `keyward-${name}.tgz`)
  renameSync(join(staging, packed), tarball)
  rmSync(staging, { recursive: true })
  return tarball
}

function manifestFailures(name: string, tarball: string): ReadonlyArray<string> {
  const manifest = execFileSync("tar", ["-xzOf", tarball, "package/package.json"], { encoding: "utf8" })
  return ["./src/", "@keyward/source", "workspace:"]
    .filter((leftover) => manifest.includes(leftover))
    .map((leftover) => `${name}: the packed manifest still says ${JSON.stringify(leftover)}`)
}

function toolFailures(name: string, tool: string, args: ReadonlyArray<string>): ReadonlyArray<string> {
  const { status } = spawnSync(join(workspace, "node_modules/.bin", tool), args, { cwd: workspace, stdio: "inherit" })
  return status === 0 ? [] : [`${name}: ${tool}`]
}
