/** GitHub's published OpenAPI document, from the registry package that GitHub maintains. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

/** The document of api.github.com as JSON text. */
export const gitHubDocument = (): string => {
  const manifest = createRequire(import.meta.url).resolve("@octokit/openapi/package.json")
  return readFileSync(join(dirname(manifest), "generated", "api.github.com.json"), "utf8")
}
