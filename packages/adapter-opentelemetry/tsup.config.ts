/** Bundles the public entry. Declarations come from TypeScript 6. */
import { defineConfig } from "tsup"

export default defineConfig({
  entry: ["src/index.ts"],
  format: "esm",
  target: "node22",
  platform: "node",
  splitting: true,
  dts: true,
  clean: true,
})
