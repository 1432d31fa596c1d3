/**
 * The fields of a schema that become tools, in its order, as light descriptions: name, text, hints. No JSON Schema is built here.
 */
import type { ToolAnnotations } from "@keyward/core"
import type { GraphQLField, GraphQLSchema } from "graphql"
import { cut, textOf } from "../Json.ts"
import type { FieldKind } from "../operation/fieldOperation.ts"

/** The name of the raw tool. Names of fields follow a dot, so that none can take it. */
export const rawToolName = "query"

/** One field of the root of queries or mutations. */
export interface RootField {
  /** `query.repository`, `mutation.createIssue`: a field may have the same name in both. */
  readonly name: string
  readonly kind: FieldKind
  readonly field: GraphQLField
}

/** Lists the fields that become tools. Names that the specification reserves are left out. */
export const listRootFields = (schema: GraphQLSchema): ReadonlyArray<RootField> => [
  ...fieldsOf("query", schema.getQueryType()?.getFields()),
  ...fieldsOf("mutation", schema.getMutationType()?.getFields()),
]

/** How many fields give a stream of answers and therefore no tool. */
export const countSubscriptions = (schema: GraphQLSchema): number =>
  Object.keys(schema.getSubscriptionType()?.getFields() ?? {}).length

/** What the kind promises, in MCP's words: a query reads; a mutation writes, and destroys unless its name says that it adds. */
export const annotationsOf = ({ kind, field }: RootField): ToolAnnotations =>
  kind === "query"
    ? readingAnnotations
    : { readOnlyHint: false, destructiveHint: !adding.test(field.name), idempotentHint: false, openWorldHint: true }

/** The hints of what only reads. */
export const readingAnnotations: ToolAnnotations = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: true,
}

/** What a model reads about the tool: the schema's own words, at most 1,000 characters. */
export const descriptionOf = ({ kind, field }: RootField): string => {
  const text = textOf(field.description)?.trim() ?? `The ${kind} ${field.name}, which gives ${String(field.type)}.`
  const { deprecationReason } = field
  const note =
    deprecationReason === undefined || deprecationReason === null ? "" : `Deprecated: ${deprecationReason.trim()}\n`
  return cut(`${note}${text}`, longestDescription)
}

const longestDescription = 1_000

/** Names of what only adds. Sending and publishing add as well, and cannot be taken back: they are not among them. */
const adding = /^(add|append|attach|create|follow|insert|star|upload)(?![a-z])/

const fieldsOf = (
  kind: FieldKind,
  fields: Readonly<Record<string, GraphQLField>> | undefined,
): ReadonlyArray<RootField> =>
  Object.values(fields ?? {})
    .filter(({ name }) => !name.startsWith("__") && name.length <= longestName)
    .map((field) => ({ name: `${kind}.${field.name}`, kind, field }))

/** Catalogs take names of 512 characters. */
const longestName = 500
