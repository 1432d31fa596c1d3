/**
 * The child process: reads one document as a host would and answers what came of it.
 *
 * Through the public surface only: `addSpec`, a connection, the list of tools, each tool's schema. Each schema that differs
 * from those before is given to Ajv, and its tool called with made-up arguments over a transport that answers at once.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { createExecutor, InvalidIntegrationInputError } from "@keyward/core"
import { OpenApiDocumentError, openApiPlugin } from "@keyward/plugin-openapi"
import { Ajv2020 } from "ajv/dist/2020.js"
import { type DocumentOutcome, emptyOutcome, type ReaderMessage } from "./outcome.ts"
import { sampleOf } from "./sampleArguments.ts"

const slug = "api"

const readDocument = async (root: string, file: string): Promise<DocumentOutcome> => {
  const spec = readFileSync(join(root, file), "utf8")
  const startedAt = performance.now()
  const elapsed = (): number => Math.round(performance.now() - startedAt)
  let sent = 0
  const answer = (): Promise<Response> => {
    sent += 1
    return Promise.resolve(Response.json({}))
  }
  await using executor = await createExecutor({ plugins: [openApiPlugin()], egress: { fetch: answer } })
  let neededBaseUrl = false
  try {
    await executor.openapi.addSpec({ slug, spec }).catch((thrown: unknown) => {
      if (!(thrown instanceof InvalidIntegrationInputError) || thrown.field !== "baseUrl") throw thrown
      neededBaseUrl = true
      return executor.openapi.addSpec({ slug, spec, baseUrl: "https://api.example.com" })
    })
  } catch (thrown) {
    const isTyped = thrown instanceof OpenApiDocumentError || thrown instanceof InvalidIntegrationInputError
    const ending = isTyped ? (hasOperations(spec) ? "refused" : "no operations") : "crashed"
    return emptyOutcome(file, ending, String(thrown), elapsed())
  }
  const addSpecMs = elapsed()
  await executor.connections.create({ owner: "org", integration: slug, name: "main", template: "none" })
  const tools = await executor.tools.list({ integration: slug, limit: 1_000_000 })
  const seen = new Set<string>()
  const schemaFailures: string[] = []
  const callFailures: string[] = []
  let largestSchema = 0
  let refusedArguments = 0
  for (const { address, name } of tools) {
    process.send?.("progress" satisfies ReaderMessage)
    const schema = await executor.tools.schema(address)
    const text = JSON.stringify(schema?.inputSchema)
    largestSchema = Math.max(largestSchema, text.length)
    if (seen.has(text)) continue
    seen.add(text)
    const fault = compileFault(schema?.inputSchema ?? false)
    if (fault !== undefined) schemaFailures.push(`${name}: ${fault}`)
    const result = await executor.execute(address, sampleOf(schema?.inputSchema))
    if (result.ok) continue
    if (result.error.code === "invalid_arguments") refusedArguments += 1
    else callFailures.push(`${name}: ${result.error.code} ${result.error.message}`)
  }
  return {
    file,
    ending: "tools",
    reason: null,
    neededBaseUrl,
    tools: tools.length,
    distinctSchemas: seen.size,
    schemaFailures,
    sent,
    refusedArguments,
    callFailures,
    largestSchema,
    addSpecMs,
    totalMs: elapsed(),
  }
}

const compileFault = (schema: object | boolean): string | undefined => {
  try {
    new Ajv2020({ strict: false, validateFormats: false, logger: false }).compile(schema)
    return undefined
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : "unknown fault"
  }
}

const methods = ["get", "put", "post", "delete", "options", "head", "patch"]

const hasOperations = (spec: string): boolean => {
  const { paths } = JSON.parse(spec) as { paths?: Record<string, object | null> }
  return Object.values(paths ?? {}).some((item) => methods.some((method) => method in (item ?? {})))
}

process.on("message", (message: { readonly root: string; readonly file: string }) => {
  const { root, file } = message
  readDocument(root, file)
    .catch((thrown: unknown) =>
      emptyOutcome(file, "crashed", thrown instanceof Error ? (thrown.stack ?? thrown.message) : "unknown", 0),
    )
    .then((outcome) => process.send?.(outcome))
    .catch(() => process.exit(1))
})
