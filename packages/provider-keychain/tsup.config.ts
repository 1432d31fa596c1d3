/** Bundles the public entry and the thread it starts, which lies beside it. Declarations come from TypeScript 6. */
import { defineConfig } from "tsup"

export default defineConfig({
  entry: ["src/index.ts", "src/keychainWorker.ts"],
  format: "esm",
  target: "node22",
  platform: "node",
  splitting: true,
  dts: { entry: "src/index.ts" },
  clean: true,
})
