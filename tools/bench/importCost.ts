/** What `import "@keyward/core"` costs a fresh process, beside `import "effect"`; and what is installed with it. */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, statSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { median, type Row } from "./measure.ts"

const core = fileURLToPath(new URL("../../packages/core/", import.meta.url))

/** Runs the suite. Needs the built packages (`pnpm build`). */
export const importCost = (): ReadonlyArray<Row> => {
  const suite = "import"
  const entry = `${core}dist/index.js`
  if (!existsSync(entry)) throw new Error("packages/core/dist is missing: run `pnpm build` first.")
  const manifest = JSON.parse(readFileSync(`${core}package.json`, "utf8")) as {
    readonly dependencies?: Record<string, string>
    readonly peerDependencies?: Record<string, string>
  }
  // Alternating, so that a busy moment of the machine meets both.
  const own: Array<number> = []
  const effect: Array<number> = []
  const nothing: Array<number> = []
  for (let round = 0; round < 15; round += 1) {
    nothing.push(milliseconds(""))
    effect.push(milliseconds('await import("effect")'))
    own.push(milliseconds(`await import(${JSON.stringify(entry)})`))
  }
  const base = median(nothing)
  const ownMs = median(own) - base
  const effectMs = median(effect) - base
  const bundle = readFileSync(entry)
  return [
    {
      suite,
      name: 'import "@keyward/core" in a fresh process',
      value: `${ownMs.toFixed(0)} ms, import "effect" ${effectMs.toFixed(0)} ms: ${(ownMs / effectMs).toFixed(2)} ×`,
      target: "≤ 1 ×",
      isMet: ownMs <= effectMs,
    },
    {
      suite,
      name: "core as it is packed",
      value: packed(),
    },
    {
      suite,
      name: `dependencies of core: ${Object.keys(manifest.dependencies ?? {}).length}`,
      value: `${Object.keys(manifest.dependencies ?? {}).join(", ")}; peer: ${Object.keys(manifest.peerDependencies ?? {}).join(", ")}`,
    },
    {
      suite,
      name: "entry of core",
      value: `${(statSync(entry).size / 1024).toFixed(1)} KB, ${(gzipSync(bundle).byteLength / 1024).toFixed(1)} KB gzip`,
    },
  ]
}

/** Sizes of the tarball that npm would publish. */
const packed = (): string => {
  const output = execFileSync("npm", ["pack", "--dry-run", "--json"], { cwd: core, encoding: "utf8" })
  const described = JSON.parse(output) as ReadonlyArray<Tarball> | Readonly<Record<string, Tarball>>
  const [tarball] = Object.values(described)
  if (tarball === undefined) return "unknown"
  return `${(tarball.size / 1024).toFixed(0)} KB, ${(tarball.unpackedSize / 1024).toFixed(0)} KB unpacked`
}

interface Tarball {
  readonly size: number
  readonly unpackedSize: number
}

const milliseconds = (program: string): number => {
  const startedAt = performance.now()
  execFileSync(process.execPath, ["--input-type=module", "-e", program], { cwd: core, stdio: "ignore" })
  return performance.now() - startedAt
}
