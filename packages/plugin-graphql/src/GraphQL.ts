/**
 * The plugin: `executor.graphql.addIntegration` registers an endpoint as an integration, `previewIntegration` shows what would come of it,
 * `refreshSchema` asks the service again, with a connection where it tells its schema to accounts only.
 *
 * Tools are those of the integration, the same for each of its connections.
 */
import {
  type AuthTemplate,
  type ConnectionRef,
  definePlugin,
  type Fetch,
  type IdentityMode,
  type Integration,
  IntegrationNotFoundError,
  type IntegrationRecord,
  InvalidIntegrationInputError,
  type Plugin,
  type PluginContext,
  type ToolAnnotations,
} from "@keyward/core"
import { callTool } from "./call.ts"
import { Catalogues } from "./catalogue/Catalogues.ts"
import { annotationsOf, countSubscriptions, descriptionOf, listRootFields } from "./catalogue/rootFields.ts"
import { type GraphQLConfig, readConfig } from "./GraphQLConfig.ts"
import { textOf } from "./Json.ts"
import type { FieldKind } from "./operation/fieldOperation.ts"
import { GraphQLSchemaError } from "./schema/GraphQLSchemaError.ts"
import { introspect, type SchemaSource, withoutQuery } from "./schema/introspect.ts"
import { type LoadedSchema, loadSchema, type SchemaInput } from "./schema/loadSchema.ts"

/** What `addIntegration` takes. */
export interface AddGraphQLInput {
  /** The integration's slug, part of every address. Adding it again updates it in place; connections stay. */
  readonly slug: string
  /** Default: the slug. */
  readonly name?: string | undefined
  /** Default: the schema's description. */
  readonly description?: string | undefined
  /** Where operations are sent: an absolute `http(s)` URL. */
  readonly endpoint: string
  /**
   * SDL, or the result of introspection as an object or JSON text. Default: the endpoint is asked, without a credential.
   *
   * An endpoint that tells its schema to accounts only is registered all the same, with the raw tool alone until `refreshSchema` was
   * called with a connection.
   */
  readonly schema?: SchemaInput | undefined
  /** How connections authenticate; a schema does not say. Default: a bearer token. */
  readonly authTemplates?: ReadonlyArray<AuthTemplate> | undefined
  /** Where credentials may be sent. Default: the origin of the endpoint. */
  readonly origins?: ReadonlyArray<string> | undefined
  /** Whose account calls run as. Default: as it was before, `"either"` at first. */
  readonly identityMode?: IdentityMode | undefined
}

/** What `refreshSchema` takes. */
export interface RefreshSchemaInput {
  readonly slug: string
  /** The connection to ask with. Default: none. What its account sees becomes the tools of everybody's connections. */
  readonly connection?: ConnectionRef | undefined
}

/** One tool that a schema would give. */
export interface PreviewedField {
  readonly name: string
  readonly kind: FieldKind
  readonly description: string
  readonly annotations: ToolAnnotations
}

/** What would come of an endpoint or a schema. */
export interface GraphQLPreview {
  readonly description: string | null
  /** The endpoint tells its schema to accounts only: pass the schema, or call `refreshSchema` once there is a connection. */
  readonly isCredentialRequired: boolean
  /** The tools besides the raw one. */
  readonly tools: ReadonlyArray<PreviewedField>
  /** What breaks the specification, and what was left out. None of it stops `addIntegration`. */
  readonly warnings: ReadonlyArray<string>
}

/** `executor.graphql`. */
export interface GraphQLExtension {
  /**
   * Registers an endpoint as an integration.
   *
   * Rejects with `GraphQLSchemaError` when there is no usable schema, with `InvalidIntegrationInputError` for an endpoint that is none.
   * Nothing is stored then.
   */
  readonly addIntegration: (input: AddGraphQLInput) => Promise<Integration>
  /** Gets a schema and shows what `addIntegration` would make of it. Stores nothing. */
  readonly previewIntegration: (input: Pick<AddGraphQLInput, "endpoint" | "schema">) => Promise<GraphQLPreview>
  /**
   * Asks the endpoint for its schema again. The integration has a new revision if that changed.
   *
   * Rejects with `GraphQLSchemaError` when the endpoint does not tell it; what was there stays.
   */
  readonly refreshSchema: (input: RefreshSchemaInput) => Promise<Integration>
}

/** Limits on reading schemas. */
export interface GraphQLPluginOptions {
  /** The most one schema may weigh, in bytes. Default: 16 MB; the executor's `egress.maxResponseBytes` applies as well. */
  readonly maxSchemaBytes?: number | undefined
  /** The longest that introspection may take, in milliseconds. Default: 30 s. */
  readonly schemaTimeoutMs?: number | undefined
}

/**
 * Makes the GraphQL plugin.
 *
 * @example
 * ```ts
 * import { createExecutor } from "@keyward/core"
 * import { graphqlPlugin } from "@keyward/plugin-graphql"
 *
 * const executor = await createExecutor({ plugins: [graphqlPlugin()] })
 * await executor.graphql.addIntegration({ slug: "countries", endpoint: "https://countries.trevorblades.com/graphql" })
 * ```
 */
export const graphqlPlugin = (options: GraphQLPluginOptions = {}): Plugin<"graphql", GraphQLExtension> => {
  const catalogues = new Catalogues()
  return definePlugin({
    id: "graphql",
    version: "1",
    catalog: "integration",
    extension: (context) => makeExtension(context, options),
    resolveTools: ({ integration }) => catalogues.of(integration).tools(),
    describeTool: ({ integration, tool }) =>
      catalogues.of(integration).describe(tool.name) ?? { inputSchema: { type: "object" }, outputSchema: null },
    invokeTool: (input) => callTool(catalogues.of(input.integration), input),
  })
}

const makeExtension = (context: PluginContext, options: GraphQLPluginOptions): GraphQLExtension => {
  const sourceWith = (fetch: Fetch): SchemaSource => ({
    fetch,
    maxBytes: options.maxSchemaBytes,
    timeoutMs: options.schemaTimeoutMs,
  })
  const schemaOf = (endpoint: string, schema: SchemaInput | undefined): Promise<LoadedSchema | undefined> =>
    schema === undefined
      ? askForSchema(endpoint, sourceWith(context.fetch))
      : Promise.resolve(usable(loadSchema(schema, "schema", options.maxSchemaBytes), "schema"))
  return {
    addIntegration: async (input) => {
      const endpoint = normalEndpoint(input.endpoint)
      const loaded = await schemaOf(endpoint, input.schema)
      const config: GraphQLConfig = {
        format: 1,
        endpoint,
        schema: loaded?.text ?? knownSchema(await context.integrations.get(input.slug), endpoint),
      }
      return context.integrations.register({
        slug: input.slug,
        name: input.name ?? input.slug,
        description: input.description ?? textOf(loaded?.schema.description),
        baseUrl: endpoint,
        origins: input.origins ?? [new URL(endpoint).origin],
        authTemplates: input.authTemplates ?? bearer,
        identityMode: input.identityMode,
        config,
      })
    },
    previewIntegration: async ({ endpoint, schema }) => previewOf(await schemaOf(normalEndpoint(endpoint), schema)),
    refreshSchema: async ({ slug, connection }) => {
      const record = await context.integrations.get(slug)
      if (record === null || record.plugin !== "graphql") throw new IntegrationNotFoundError({ integration: slug })
      const { endpoint } = readConfig(record.config)
      if (connection !== undefined && connection.integration !== slug) {
        const fault = `is of ${JSON.stringify(connection.integration)}; pass one of ${JSON.stringify(slug)}.`
        throw new InvalidIntegrationInputError({ field: "connection", fault })
      }
      const fetch = connection === undefined ? context.fetch : context.connections.fetch(connection)
      const loaded = await askForSchema(endpoint, sourceWith(fetch))
      if (loaded === undefined) {
        const reason =
          connection === undefined
            ? "the service tells it to accounts only. Pass a connection."
            : "the service does not tell it to this connection. Check its credential, or pass the schema to addIntegration."
        throw new GraphQLSchemaError({ location: withoutQuery(endpoint), reason })
      }
      const { name, description, baseUrl, origins, authTemplates } = record
      return context.integrations.register({
        slug,
        name,
        description: description ?? textOf(loaded.schema.description),
        baseUrl: baseUrl ?? endpoint,
        origins,
        authTemplates,
        config: { format: 1, endpoint, schema: loaded.text } satisfies GraphQLConfig,
      })
    },
  }
}

/** What nearly every service takes. */
const bearer: ReadonlyArray<AuthTemplate> = [{ slug: "bearer", type: "bearer" }]

/** The schema that an endpoint tells; `undefined` when it tells it to accounts only. */
const askForSchema = async (endpoint: string, source: SchemaSource): Promise<LoadedSchema | undefined> => {
  const introspection = await introspect(endpoint, source)
  if (introspection.kind === "credential_required") return undefined
  const location = withoutQuery(endpoint)
  return usable(loadSchema(introspection.data, location, source.maxBytes), location)
}

const usable = (loaded: LoadedSchema, location: string): LoadedSchema => {
  if (listRootFields(loaded.schema).length > 0) return loaded
  const [warning] = loaded.warnings
  const reason = `it has neither a query nor a mutation${warning === undefined ? "." : `; ${warning}`}`
  throw new GraphQLSchemaError({ location, reason })
}

/** What was learnt of the same endpoint before is kept while it tells strangers nothing. */
const knownSchema = (record: IntegrationRecord | null, endpoint: string): string | null => {
  if (record?.plugin !== "graphql") return null
  const known = readConfig(record.config)
  return known.endpoint === endpoint ? known.schema : null
}

const normalEndpoint = (endpoint: string): string => {
  const invalid = (fault: string): never => {
    throw new InvalidIntegrationInputError({ field: "endpoint", fault })
  }
  if (typeof endpoint !== "string" || !URL.canParse(endpoint)) return invalid("must be an absolute http(s) URL.")
  const url = new URL(endpoint)
  if (url.protocol === "ws:" || url.protocol === "wss:") {
    return invalid("is for subscriptions, which are not supported; pass the http(s) URL.")
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return invalid("must be an absolute http(s) URL.")
  if (url.username !== "" || url.password !== "") {
    return invalid("holds user information; put the credential into a connection.")
  }
  url.hash = ""
  return url.href
}

const previewOf = (loaded: LoadedSchema | undefined): GraphQLPreview => {
  if (loaded === undefined) return { description: null, isCredentialRequired: true, tools: [], warnings: [] }
  const subscriptions = countSubscriptions(loaded.schema)
  return {
    description: textOf(loaded.schema.description) ?? null,
    isCredentialRequired: false,
    tools: listRootFields(loaded.schema).map((field) => ({
      name: field.name,
      kind: field.kind,
      description: descriptionOf(field),
      annotations: annotationsOf(field),
    })),
    warnings: [
      ...loaded.warnings,
      ...(subscriptions === 0
        ? []
        : [`${subscriptions} subscriptions are left out: a tool call has one answer, and they have many.`]),
    ],
  }
}
