/**
 * One vitest project per workspace package that has tests.
 *
 * Tests import the sources: the `@keyward/source` export condition points every workspace package at its
 * `src`, so nothing has to be built first. Vitest does not look for this file name by itself; the root
 * scripts pass `--config`, and `vitest.config.ts` re-exports it for editors and for a bare `vitest`.
 * With `KEYWARD_TEST_RESULTS=<directory>`, which `.ci/run` sets, each run also leaves a JSON report there, named after
 * its Node version, and a test that fails is repeated once: a pass then counts, and the log names the test.
 * `KEYWARD_TEST_EXCLUDE=<globs>` leaves out files, as `tools/workspace/matrix.ts` does.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { defineConfig } from "vitest/config"
import { flakyTests } from "./tools/workspace/flakyTests.ts"

const conditions = ["@keyward/source", "module", "node"]

const packagesWithTests = ["packages", "tools"].flatMap((group) =>
  readdirSync(join(import.meta.dirname, group))
    .map((name) => join(import.meta.dirname, group, name))
    .filter((root) => existsSync(join(root, "package.json")) && existsSync(join(root, "test"))),
)

const resultsDirectory = process.env["KEYWARD_TEST_RESULTS"]

const leftOut = (process.env["KEYWARD_TEST_EXCLUDE"] ?? "")
  .split(" ")
  .filter((glob) => glob !== "")
  .map((glob) => join(import.meta.dirname, glob))

const packageName = (root: string): string =>
  (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { name: string }).name

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // Most tests wait for sockets, timers and other processes rather than for the processor.
    maxWorkers: availableParallelism() + 2,
    retry: resultsDirectory === undefined ? 0 : 1,
    reporters: resultsDirectory === undefined ? ["default"] : ["default", "json", flakyTests(resultsDirectory)],
    ...(resultsDirectory === undefined
      ? {}
      : { outputFile: { json: join(resultsDirectory, `node-${process.versions.node}.json`) } }),
    coverage: {
      provider: "v8",
      include: ["packages/*/src/**"],
      reporter: ["text-summary", "json-summary"],
    },
    projects: packagesWithTests.map((root) => ({
      extends: true as const,
      root,
      test: { name: packageName(root), include: ["test/**/*.test.ts"], exclude: leftOut },
    })),
  },
})
