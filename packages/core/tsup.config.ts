/** Bundles the public entries; splitting keeps one copy of each error class between them. Declarations come from TypeScript 6. */
import { defineConfig } from "tsup"

export default defineConfig({
  entry: ["src/index.ts", "src/effect.ts", "src/testing.ts"],
  format: "esm",
  target: "node22",
  platform: "node",
  splitting: true,
  dts: true,
  clean: true,
})
