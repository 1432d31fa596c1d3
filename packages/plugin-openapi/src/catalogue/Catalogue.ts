/**
 * An integration's document in working order: its tools, their schemas on demand, and a request builder per operation.
 *
 * Made once per integration revision and kept by `Catalogues`. Listing is eager and light; schemas and builders are made when
 * a tool is first described or called, and then kept.
 */
import type { AuthTemplate, JsonSchema, ToolDef, ToolDescription } from "@keyward/core"
import type { OpenApiDocument } from "../document/document.ts"
import { makeReferences, type References } from "../document/References.ts"
import { objectOf } from "../Json.ts"
import { type CredentialPlaces, parametersOf } from "../request/parameters.ts"
import { compileRequest, type RequestBuilder } from "../request/request.ts"
import { requestBodyOf } from "../request/requestBody.ts"
import { closeServer, fixedServer, type Server, serversOf, type ServerVariable } from "../request/servers.ts"
import { type InputParts, inputSchemaOf, outputSchemaOf, responseMediaTypes } from "../schema/toolSchema.ts"
import { typeScriptPreview } from "../schema/typeScriptPreview.ts"
import { annotationsOf, descriptionOf, listOperations, type Operation } from "./operations.ts"

/** Where an integration is and what its credentials occupy. */
export interface CatalogueTarget {
  /** The base URL that the host chose; `null` leaves it to the document's servers. */
  readonly baseUrl: string | null
  /** The base URL that is used where nothing else applies. */
  readonly fallbackBaseUrl: string
  readonly origins: ReadonlyArray<string>
  readonly authTemplates: ReadonlyArray<AuthTemplate>
}

/** An operation ready to be called. */
export interface CompiledOperation {
  /** In upper case. */
  readonly method: string
  readonly isAnonymous: boolean
  readonly build: RequestBuilder
}

/** One document's tools. */
export class Catalogue {
  /** What had to be left out of the list. */
  readonly warnings: ReadonlyArray<string>
  readonly operations: ReadonlyArray<Operation>
  readonly references: References
  readonly #document: OpenApiDocument
  readonly #target: CatalogueTarget
  readonly #places: CredentialPlaces
  readonly #byName: ReadonlyMap<string, Operation>
  readonly #compiled = new Map<string, CompiledOperation>()
  readonly #described = new Map<string, ToolDescription>()

  constructor(document: OpenApiDocument, target: CatalogueTarget) {
    this.#document = document
    this.#target = target
    this.references = makeReferences(document.root)
    const { operations, warnings } = listOperations(document, this.references)
    this.operations = operations
    this.warnings = warnings
    this.#byName = new Map(operations.map((operation) => [operation.name, operation]))
    this.#places = credentialPlaces(target.authTemplates)
  }

  /** The tools as the catalog keeps them: without schemas. */
  tools(): ReadonlyArray<ToolDef> {
    return this.operations.map((operation) => ({
      name: operation.name,
      description: descriptionOf(operation),
      annotations: annotationsOf(operation),
      keywords: [operation.method, operation.path],
    }))
  }

  /** The operation of a tool, compiled; `undefined` when the document has none of that name. */
  operation(name: string): CompiledOperation | undefined {
    const known = this.#compiled.get(name)
    if (known !== undefined) return known
    const operation = this.#byName.get(name)
    if (operation === undefined) return undefined
    const { parameters, body, server, serverVariables } = this.#parts(operation)
    const compiled: CompiledOperation = {
      method: operation.method,
      isAnonymous: operation.isAnonymous,
      build: compileRequest({
        method: operation.method,
        path: operation.path,
        parameters,
        body,
        server,
        isServerOpen: serverVariables.length > 0,
        origins: this.#target.origins,
        accepts: responseMediaTypes(operation, this.references),
      }),
    }
    this.#compiled.set(name, compiled)
    return compiled
  }

  /** The schemas of a tool, those of its output made when they are read; `undefined` when the document has none of that name. */
  describe(name: string): ToolDescription | undefined {
    const known = this.#described.get(name)
    if (known !== undefined) return known
    const operation = this.#byName.get(name)
    if (operation === undefined) return undefined
    const description = lazyDescription(
      inputSchemaOf(this.#parts(operation), this.references),
      () => outputSchemaOf(operation, this.references) ?? null,
    )
    // Schemas of a large document weigh more than the document; those that are asked for again are few.
    if (this.#described.size >= mostDescribed) this.#described.clear()
    this.#described.set(name, description)
    return description
  }

  #parts(operation: Operation): InputParts & { readonly server: Server } {
    const { parameters } = parametersOf(operation, this.references, this.#places)
    const server = this.#serverOf(operation)
    return {
      parameters,
      body: requestBodyOf(operation, this.references),
      server,
      serverVariables: choosableVariables(server, this.#target.origins),
    }
  }

  /** The first server of the operation, its path or the document that is at one of the origins. */
  #serverOf(operation: Operation): Server {
    const { baseUrl, origins, fallbackBaseUrl } = this.#target
    const own = operation.definition["servers"] ?? operation.pathItem["servers"]
    const candidates = [
      ...serversOf(own, baseUrl ?? this.#document.url),
      ...(baseUrl === null ? rootServers(this.#document) : [fixedServer(baseUrl)]),
    ]
    for (const candidate of candidates) {
      const server = closeServer(candidate, origins)
      if (server !== undefined) return server
    }
    return fixedServer(fallbackBaseUrl)
  }
}

/** The servers of a document; without any, the place it came from (OpenAPI's default is `/`). */
export const rootServers = (document: OpenApiDocument): ReadonlyArray<Server> => {
  const servers = serversOf(document.root["servers"], document.url)
  return servers.length > 0 || document.url === null ? servers : serversOf([{ url: "/" }], document.url)
}

/** Every server that some operation may use. */
export const allServers = (document: OpenApiDocument, operations: ReadonlyArray<Operation>): ReadonlyArray<Server> => {
  const lists = new Set(operations.flatMap(({ definition, pathItem }) => [definition["servers"], pathItem["servers"]]))
  return [...rootServers(document), ...[...lists].flatMap((list) => serversOf(list, document.url))]
}

const mostDescribed = 500

/** A call needs the input's schema only; the rest is made when somebody looks at it. */
const lazyDescription = (inputSchema: JsonSchema, makeOutput: () => JsonSchema | null): ToolDescription => {
  let outputSchema: JsonSchema | null | undefined
  let inputTypeScript: string | undefined
  let outputTypeScript: string | undefined
  return {
    inputSchema,
    get outputSchema() {
      return (outputSchema ??= makeOutput())
    },
    get inputTypeScript() {
      return (inputTypeScript ??= typeScriptPreview(inputSchema))
    },
    get outputTypeScript() {
      const schema = this.outputSchema ?? null
      return schema === null ? undefined : (outputTypeScript ??= typeScriptPreview(schema))
    },
  }
}

const choosableVariables = (server: Server, origins: ReadonlyArray<string>): ReadonlyArray<ServerVariable> =>
  server.variables.filter(({ name, enum: values }) =>
    values === undefined ? !server.originVariables.has(name) || origins.length > 1 : new Set(values).size > 1,
  )

/** Where any of the templates puts something: those parameters are the credential's, not the caller's. */
const credentialPlaces = (templates: ReadonlyArray<AuthTemplate>): CredentialPlaces =>
  new Set(
    templates.flatMap((template) => {
      if (template.type === "none") return []
      return [
        ...Object.keys(objectOf(template.headers)).map((name) => `header:${name.toLowerCase()}`),
        ...Object.keys(objectOf(template.queryParams)).map((name) => `query:${name}`),
        ...Object.keys(objectOf(template.cookies)).map((name) => `cookie:${name}`),
      ]
    }),
  )
