/**
 * The plugin: `executor.openapi.addSpec` registers a document as an integration, `previewSpec` shows what would come of it.
 *
 * Tools are those of the integration, the same for each of its connections. A call compiles its operation once, turns the
 * arguments into a request, has core send it with the credential, and reads the answer.
 */
import {
  type AuthTemplate,
  definePlugin,
  type IdentityMode,
  type Integration,
  InvalidIntegrationInputError,
  type Plugin,
  type PluginContext,
  type ToolAnnotations,
  type ToolResult,
} from "@keyward/core"
import { allServers, Catalogue, rootServers } from "./catalogue/Catalogue.ts"
import { Catalogues } from "./catalogue/Catalogues.ts"
import { annotationsOf, descriptionOf, type Operation } from "./catalogue/operations.ts"
import { type DocumentInput, loadDocument, type OpenApiDocument, validateDocument } from "./document/document.ts"
import { type DocumentSource, withoutQuery } from "./document/fetchDocument.ts"
import { OpenApiDocumentError } from "./document/OpenApiDocumentError.ts"
import { objectOf, textOf } from "./Json.ts"
import { makeConfig } from "./OpenApiConfig.ts"
import { InvalidArgumentError } from "./request/request.ts"
import { closeServer, declaredOrigins, expandServer, normalBaseUrl } from "./request/servers.ts"
import { readResponse } from "./response/response.ts"
import { deriveAuthTemplates } from "./securitySchemes.ts"

/** What `addSpec` takes. */
export interface AddSpecInput {
  /** The integration's slug, part of every address. Adding it again updates it in place; connections stay. */
  readonly slug: string
  /** Default: the document's title. */
  readonly name?: string | undefined
  /** Default: the document's description. */
  readonly description?: string | undefined
  /** The document: an object, JSON or YAML text, or an `http(s)` URL. Files are not read. */
  readonly spec: DocumentInput
  /** Where the API is. Default: the first server of the document. Takes the place of servers at other origins. */
  readonly baseUrl?: string | undefined
  /** How connections authenticate. Default: what the document's security schemes say. */
  readonly authTemplates?: ReadonlyArray<AuthTemplate> | undefined
  /** Where credentials may be sent. Default: the origin of `baseUrl`, else those of all servers of the document. */
  readonly origins?: ReadonlyArray<string> | undefined
  /** Whose account calls run as. Default: as it was before, `"either"` at first. */
  readonly identityMode?: IdentityMode | undefined
}

/** One tool that a document would give. */
export interface PreviewedTool {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly description: string
  readonly annotations: ToolAnnotations
  /** The document says that this operation needs no credential; it is sent without one. */
  readonly isAnonymous: boolean
}

/** What would come of a document. */
export interface SpecPreview {
  readonly title: string | null
  /** The API's own version. */
  readonly version: string | null
  /** The version of OpenAPI or Swagger that the document declares. */
  readonly openapi: string
  readonly description: string | null
  /** `null` when the document does not say where the API is; then pass `baseUrl` to `addSpec`. */
  readonly baseUrl: string | null
  readonly origins: ReadonlyArray<string>
  readonly authTemplates: ReadonlyArray<AuthTemplate>
  readonly tools: ReadonlyArray<PreviewedTool>
  /** What is wrong with the document and what was left out because of it. None of it stops `addSpec`. */
  readonly warnings: ReadonlyArray<string>
}

/** `executor.openapi`. */
export interface OpenApiExtension {
  /**
   * Registers a document as an integration.
   *
   * Rejects with `OpenApiDocumentError` when there is no usable document, with `InvalidIntegrationInputError` when it is not
   * known where the API is. Nothing is stored then.
   */
  readonly addSpec: (input: AddSpecInput) => Promise<Integration>
  /** Reads and validates a document and shows what `addSpec` would make of it. Stores nothing. */
  readonly previewSpec: (spec: DocumentInput) => Promise<SpecPreview>
}

/** Limits on reading documents. */
export interface OpenApiPluginOptions {
  /** The most one document may weigh, in bytes. Default: 64 MB; the executor's `egress.maxResponseBytes` applies as well. */
  readonly maxDocumentBytes?: number | undefined
  /** The longest that getting a document with everything it refers to may take, in milliseconds. Default: 30 s. */
  readonly documentTimeoutMs?: number | undefined
}

/**
 * Makes the OpenAPI plugin.
 *
 * @example
 * ```ts
 * import { createExecutor } from "@keyward/core"
 * import { openApiPlugin } from "@keyward/plugin-openapi"
 *
 * const executor = await createExecutor({ plugins: [openApiPlugin()] })
 * await executor.openapi.addSpec({ slug: "petstore", spec: "https://petstore3.swagger.io/api/v3/openapi.json" })
 * ```
 */
export const openApiPlugin = (options: OpenApiPluginOptions = {}): Plugin<"openapi", OpenApiExtension> => {
  const catalogues = new Catalogues()
  return definePlugin({
    id: "openapi",
    version: "2",
    catalog: "integration",
    extension: (context) => makeExtension(context, sourceOf(context, options)),
    resolveTools: ({ integration }) => catalogues.of(integration).tools(),
    describeTool: ({ integration, tool }) =>
      catalogues.of(integration).describe(tool.name) ?? { inputSchema: { type: "object" }, outputSchema: null },
    invokeTool: async ({ integration, tool, args, send }): Promise<ToolResult> => {
      const operation = catalogues.of(integration).operation(tool.name)
      if (operation === undefined)
        return failure("tool_unavailable", "The document no longer has this operation. List the tools again.")
      let request
      try {
        request = operation.build(args)
      } catch (thrown) {
        if (thrown instanceof InvalidArgumentError) return invalidArguments(thrown)
        throw thrown
      }
      const { method, url, headers, body } = request
      const response = await send({ method, url, headers, body, anonymous: operation.isAnonymous })
      return await readResponse(response, operation.method, Date.now)
    },
  })
}

const sourceOf = (context: PluginContext, options: OpenApiPluginOptions): DocumentSource => ({
  fetch: context.fetch,
  maxBytes: options.maxDocumentBytes,
  timeoutMs: options.documentTimeoutMs,
})

const makeExtension = (context: PluginContext, source: DocumentSource): OpenApiExtension => ({
  addSpec: async (input) => {
    const document = await loadDocument(input.spec, source)
    const { operations, references } = listing(document)
    if (operations.length === 0) {
      const [finding] = await validateDocument(document.root, 1)
      const reason = `it has no usable operation${finding === undefined ? "." : `; ${finding}`}`
      throw new OpenApiDocumentError({
        location: `${document.url === null ? "spec" : withoutQuery(document.url)}#/paths`,
        reason,
      })
    }
    const target = targetOf(document, operations, input)
    const info = objectOf(document.root["info"])
    return context.integrations.register({
      slug: input.slug,
      name: input.name ?? textOf(info["title"]) ?? input.slug,
      description: input.description ?? textOf(info["description"]),
      baseUrl: target.baseUrl,
      origins: target.origins,
      authTemplates: input.authTemplates ?? deriveAuthTemplates(document, operations, references).authTemplates,
      identityMode: input.identityMode,
      config: makeConfig(document, input.baseUrl === undefined ? null : target.baseUrl),
    })
  },
  previewSpec: async (spec) => {
    const document = await loadDocument(spec, source, true)
    const { operations, references, warnings } = listing(document)
    const derived = deriveAuthTemplates(document, operations, references)
    const info = objectOf(document.root["info"])
    const { origins } = declaredOrigins(allServers(document, operations))
    return {
      title: textOf(info["title"]) ?? null,
      version: textOf(info["version"]) ?? null,
      openapi: document.version,
      description: textOf(info["description"]) ?? null,
      baseUrl: defaultBaseUrl(document, origins) ?? null,
      origins,
      authTemplates: derived.authTemplates,
      tools: operations.map((operation) => ({
        name: operation.name,
        method: operation.method,
        path: operation.path,
        description: descriptionOf(operation),
        annotations: annotationsOf(operation),
        isAnonymous: operation.isAnonymous,
      })),
      warnings: [...document.warnings, ...warnings, ...derived.warnings],
    }
  },
})

const listing = (document: OpenApiDocument): Pick<Catalogue, "operations" | "references" | "warnings"> =>
  new Catalogue(document, { baseUrl: null, fallbackBaseUrl: "", origins: [], authTemplates: [] })

interface Target {
  readonly baseUrl: string
  readonly origins: ReadonlyArray<string>
}

/** Where the API is and where its credentials may go, or an error that says what to pass. */
const targetOf = (document: OpenApiDocument, operations: ReadonlyArray<Operation>, input: AddSpecInput): Target => {
  if (input.baseUrl !== undefined) {
    const baseUrl = normalBaseUrl(input.baseUrl)
    if (baseUrl === undefined) {
      throw new InvalidIntegrationInputError({ field: "baseUrl", fault: "must be an absolute http(s) URL." })
    }
    const { username, password } = new URL(input.baseUrl)
    if (username !== "" || password !== "") {
      const fault = "holds user information; put the credential into a connection."
      throw new InvalidIntegrationInputError({ field: "baseUrl", fault })
    }
    return { baseUrl, origins: input.origins ?? [new URL(baseUrl).origin] }
  }
  const declared = declaredOrigins(allServers(document, operations))
  const origins = input.origins ?? declared.origins
  const baseUrl = defaultBaseUrl(document, origins)
  if (baseUrl !== undefined) return { baseUrl, origins }
  const fault =
    input.origins !== undefined
      ? `none of the document's servers is at ${input.origins.join(", ")}. Pass baseUrl as well.`
      : declared.openTemplate !== undefined
        ? `the server ${JSON.stringify(declared.openTemplate)} has a variable that may be anything, so only you know where the API is. Pass baseUrl, or origins.`
        : "the document does not say where the API is (no absolute server). Pass baseUrl."
  throw new InvalidIntegrationInputError({ field: "baseUrl", fault })
}

const defaultBaseUrl = (document: OpenApiDocument, origins: ReadonlyArray<string>): string | undefined => {
  for (const candidate of rootServers(document)) {
    const server = closeServer(candidate, origins)
    const expanded = server === undefined ? undefined : expandServer(server, {})
    if (expanded !== undefined && "baseUrl" in expanded) return expanded.baseUrl
  }
  return undefined
}

const failure = (code: string, message: string, details?: unknown): ToolResult => ({
  ok: false,
  error: { code, message, retryable: false, ...(details === undefined ? {} : { details }) },
})

/** In the shape in which core reports arguments that do not fit the schema. */
const invalidArguments = ({ path, problem }: InvalidArgumentError): ToolResult =>
  failure("invalid_arguments", `The argument ${path} ${problem}. Nothing was sent; correct it and call again.`, {
    issues: [{ path, expected: problem }],
  })
