/** The opt-in suite against a real 1Password: `KEYWARD_1PASSWORD_LIVE=op://vault/item/field pnpm test:live`. */
import { defineConfig } from "vitest/config"

const conditions = ["@keyward/source", "module", "node", "import", "default"]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { include: ["test/live/*.live.ts"], testTimeout: 180_000 },
})
