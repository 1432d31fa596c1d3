/**
 * A default value as it stands in a schema, as JSON.
 */
import { type ConstValueNode, type GraphQLArgument, type GraphQLInputField, Kind, valueToLiteral } from "graphql"

/** The default of an argument or input field; `undefined` where it has none, or one that is not worth showing. */
export const defaultOf = (input: GraphQLArgument | GraphQLInputField): unknown => {
  const { default: given, type } = input
  if (given === undefined) return undefined
  const literal = "literal" in given && given.literal !== undefined ? given.literal : valueToLiteral(given.value, type)
  return literal === undefined ? undefined : jsonOf(literal, 0)
}

const deepest = 10

const jsonOf = (node: ConstValueNode, depth: number): unknown => {
  if (depth > deepest) return undefined
  switch (node.kind) {
    case Kind.NULL:
      return null
    case Kind.INT:
    case Kind.FLOAT:
      return Number(node.value)
    case Kind.LIST: {
      const items = node.values.map((value) => jsonOf(value, depth + 1))
      return items.includes(undefined) ? undefined : items
    }
    case Kind.OBJECT: {
      const entries = node.fields.map(({ name, value }) => [name.value, jsonOf(value, depth + 1)] as const)
      return entries.some(([, value]) => value === undefined) ? undefined : Object.fromEntries(entries)
    }
    default:
      return node.value
  }
}
