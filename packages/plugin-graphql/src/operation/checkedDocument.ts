/**
 * GraphQL text that a caller wrote: parsed within limits, and judged by the schema before anything is sent.
 *
 * The parser and some of the rules take more than linear time, so that length, depth and what it all comes to are limited first.
 */
import { type DocumentNode, GraphQLError, type GraphQLSchema, parse, specifiedRules, validate } from "graphql"
import { cut } from "../Json.ts"
import { checkSelections } from "./checkedSelections.ts"
import { InvalidDocumentError } from "./InvalidDocumentError.ts"

/** The longest text, in characters, and the most tokens in it. */
const longestDocument = 50_000
const mostTokens = 4_000

/** Parses a text; fails with `InvalidDocumentError`. */
export const parseDocument = (text: string): DocumentNode => {
  if (text.length > longestDocument) throw new InvalidDocumentError(`is longer than ${longestDocument} characters`)
  let document: DocumentNode
  try {
    document = parse(text, { noLocation: true, maxLexicalTokens: mostTokens, maxComments: mostTokens })
  } catch (thrown) {
    throw faultOf(thrown)
  }
  checkSelections(document)
  return document
}

/** Judges a document by the schema; fails with `InvalidDocumentError` that says what does not fit. */
export const checkDocument = (schema: GraphQLSchema, document: DocumentNode): void => {
  let errors: ReadonlyArray<GraphQLError>
  try {
    errors = validate(schema, document, specifiedRules, { maxErrors: mostErrors })
  } catch (thrown) {
    throw faultOf(thrown)
  }
  if (errors.length === 0) return
  const messages = errors.slice(0, mostErrors).map(({ message }) => cut(message, 300))
  throw new InvalidDocumentError(`does not fit the schema: ${messages.join(" ")}`)
}

const mostErrors = 5

const faultOf = (thrown: unknown): InvalidDocumentError =>
  new InvalidDocumentError(
    thrown instanceof GraphQLError
      ? `cannot be parsed: ${cut(thrown.message, 300)}`
      : thrown instanceof RangeError
        ? "is nested too deeply"
        : "cannot be checked",
  )
