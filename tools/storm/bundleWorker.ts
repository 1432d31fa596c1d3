/**
 * The worker as one file, made once for a run: a process starts in a fraction of the time, so that eight of them get something done
 * between two kills, and an edit of the sources does not change what a run is about.
 */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

/** Where the worker is. */
export interface WorkerCode {
  readonly program: string
  /** Folder for what Node compiled of it. */
  readonly cache: string
}

/** Writes it to a folder. */
export const bundleWorker = async (folder: string): Promise<WorkerCode> => {
  await build({
    entryPoints: [fileURLToPath(new URL("worker.ts", import.meta.url))],
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node24",
    conditions: ["@keyward/source"],
    external: ["pg-native"],
    // Packages of CommonJS call it.
    banner: { js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);` },
    logLevel: "warning",
  })
  return { program: join(folder, "worker.mjs"), cache: join(folder, "compiled") }
}
