/**
 * An integration's schema in working order: its tools, their input schemas on demand, and an operation per field.
 *
 * Made once per integration revision and kept by `Catalogues`. Listing is eager and light; schemas and operations are made when a tool is
 * first described or called, and then kept.
 */
import type { ToolDef, ToolDescription } from "@keyward/core"
import { getNamedType, type GraphQLField, type GraphQLSchema, isCompositeType } from "graphql"
import { inputSchemaOf, rawInputSchema, selectionNameOf } from "../input/inputSchema.ts"
import { cut } from "../Json.ts"
import { compileOperation, type FieldOperation } from "../operation/fieldOperation.ts"
import {
  annotationsOf,
  descriptionOf,
  listRootFields,
  rawToolName,
  readingAnnotations,
  type RootField,
} from "./rootFields.ts"

/** A field's operation, and what its arguments call the selection. */
export interface CompiledField extends FieldOperation {
  readonly selectionName: string
}

/** One schema's tools; without a schema, the raw one alone. */
export class Catalogue {
  readonly endpoint: string
  readonly schema: GraphQLSchema | undefined
  readonly fields: ReadonlyArray<RootField>
  readonly #byName: ReadonlyMap<string, RootField>
  readonly #compiled = new Map<string, CompiledField>()
  readonly #described = new Map<string, ToolDescription>()

  constructor(endpoint: string, schema: GraphQLSchema | undefined) {
    this.endpoint = endpoint
    this.schema = schema
    this.fields = schema === undefined ? [] : listRootFields(schema)
    this.#byName = new Map(this.fields.map((field) => [field.name, field]))
  }

  /** The tools as the catalog keeps them: without schemas. */
  tools(): ReadonlyArray<ToolDef> {
    const raw: ToolDef = {
      name: rawToolName,
      description: this.schema === undefined ? `${rawDescription} ${withoutSchema}` : rawDescription,
      annotations: readingAnnotations,
    }
    return [
      ...this.fields.map((field) => ({
        name: field.name,
        description: descriptionOf(field),
        annotations: annotationsOf(field),
      })),
      raw,
    ]
  }

  /** The operation of a tool, compiled; `undefined` when the schema has no such field. */
  operation(name: string): CompiledField | undefined {
    const known = this.#compiled.get(name)
    if (known !== undefined) return known
    const root = this.#byName.get(name)
    if (root === undefined || this.schema === undefined) return undefined
    const operation = compileOperation(this.schema, root.kind, root.field)
    const compiled: CompiledField = { ...operation, selectionName: selectionNameOf(root.field) }
    if (this.#compiled.size >= mostKept) this.#compiled.clear()
    this.#compiled.set(name, compiled)
    return compiled
  }

  /** The input of a tool; `undefined` when the schema has no such field. What comes back depends on what is selected. */
  describe(name: string): ToolDescription | undefined {
    if (name === rawToolName) return { inputSchema: rawInputSchema, outputSchema: null }
    const known = this.#described.get(name)
    if (known !== undefined) return known
    const operation = this.operation(name)
    if (operation === undefined) return undefined
    const { field, selection, selectionName } = operation
    const description: ToolDescription = {
      inputSchema: inputSchemaOf(
        field,
        selection === undefined
          ? undefined
          : { name: selectionName, description: selectionDescription(field), fallback: selection },
      ),
      outputSchema: null,
    }
    // Input schemas of a large service weigh more than its schema; those that are asked for again are few.
    if (this.#described.size >= mostKept) this.#described.clear()
    this.#described.set(name, description)
    return description
  }
}

const mostKept = 500
const longestFields = 3_000

const rawDescription =
  "Runs one GraphQL query of your own and gives its data. For what the other tools do not select, or several fields at once. Only reads: mutations have tools of their own, subscriptions are not supported."

const withoutSchema =
  "The service's schema is not known yet, so that there are no other tools and the service judges the query."

/** How to select something else, with the fields that there are. */
const selectionDescription = (field: GraphQLField): string => {
  const type = getNamedType(field.type)
  const fields = isCompositeType(type) && "getFields" in type ? Object.values(type.getFields()) : []
  const listed = fields
    .filter(({ name, deprecationReason }) => !name.startsWith("__") && (deprecationReason ?? undefined) === undefined)
    .map(
      (one) =>
        `${one.name}${one.args.length > 0 ? `(${one.args.map(signature).join(", ")})` : ""}: ${String(one.type)}`,
    )
  const has = listed.length === 0 ? "" : ` ${type.name} has: ${listed.join("; ")}`
  return cut(
    `What to give back: a GraphQL selection set on ${type.name}. Leave it out for the default.${has}`,
    longestFields,
  )
}

const signature = ({ name, type }: GraphQLField["args"][number]): string => `${name}: ${String(type)}`
