/**
 * What a tool takes: a property for each argument of its field, and one for the selection where the field has one.
 */
import type { JsonSchema } from "@keyward/core"
import type { GraphQLField } from "graphql"
import { requiredArguments, TypeDefinitions } from "./TypeDefinitions.ts"

/** The selection as a tool's input shows it. */
export interface SelectionArgument {
  /** The name of the property; see {@link selectionNameOf}. */
  readonly name: string
  readonly description: string
  /** What is selected without it. */
  readonly fallback: string
}

/** What the property of the selection is called: `select`, behind as many `_` as arguments of that name make necessary. */
export const selectionNameOf = (field: GraphQLField): string => {
  const taken = new Set(field.args.map(({ name }) => name))
  let name = "select"
  while (taken.has(name)) name = `_${name}`
  return name
}

/** The schema of a tool's arguments. Unknown properties are refused, so that a misspelt argument is noticed. */
export const inputSchemaOf = (field: GraphQLField, selection: SelectionArgument | undefined): JsonSchema => {
  const definitions = new TypeDefinitions()
  const properties = field.args.map((argument) => [argument.name, definitions.property(argument)] as const)
  const required = requiredArguments(field.args)
  const select: ReadonlyArray<readonly [string, JsonSchema]> =
    selection === undefined
      ? []
      : [
          [
            selection.name,
            { type: "string", minLength: 1, description: selection.description, default: selection.fallback },
          ],
        ]
  const $defs = definitions.finish()
  return {
    type: "object",
    properties: Object.fromEntries([...properties, ...select]),
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
    ...(Object.keys($defs).length > 0 ? { $defs } : {}),
  }
}

/** The schema of the raw tool. */
export const rawInputSchema: JsonSchema = {
  type: "object",
  properties: {
    query: {
      type: "string",
      minLength: 1,
      description:
        "A GraphQL document with a query operation. Values belong into variables. Introspection fields may be selected where the service allows them.",
    },
    variables: { type: "object", description: "The values of the operation's variables." },
    operationName: { type: "string", description: "Which operation to run, where the document holds several." },
  },
  required: ["query"],
  additionalProperties: false,
}
