/**
 * The operation of one field: every argument a variable, and a selection.
 *
 * Arguments never become part of the document. A selection that a caller wrote is parsed, put into the operation as a tree, judged by the
 * schema as a part of it, and printed: no text passes from the caller into the document.
 */
import {
  type DocumentNode,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLSchema,
  isNonNullType,
  isRequiredArgument,
  Kind,
  OperationTypeNode,
  parseType,
  print,
  type SelectionSetNode,
  stripIgnoredCharacters,
} from "graphql"
import { checkDocument, parseDocument } from "./checkedDocument.ts"
import { generatedSelection } from "./generatedSelection.ts"
import { InvalidDocumentError } from "./InvalidDocumentError.ts"

/** Which of the two kinds of root fields. */
export type FieldKind = "query" | "mutation"

/** A field ready to be called. */
export interface FieldOperation {
  readonly kind: FieldKind
  readonly field: GraphQLField
  /** What is selected by default, as text without space that says nothing; `undefined` where the field has nothing to select. */
  readonly selection: string | undefined
  /** The document with the default selection. */
  readonly document: string
}

/** Compiles the operation of a field. */
export const compileOperation = (schema: GraphQLSchema, kind: FieldKind, field: GraphQLField): FieldOperation => {
  const selection = generatedSelection(schema, field, kind === "mutation")
  return {
    kind,
    field,
    selection: selection === undefined ? undefined : stripIgnoredCharacters(print(selection)),
    document: print(documentOf(kind, field, selection)),
  }
}

/** The document with a selection that the caller wrote; fails with `InvalidDocumentError`. */
export const withSelection = (schema: GraphQLSchema, operation: FieldOperation, text: string): string => {
  const document = documentOf(operation.kind, operation.field, parseSelection(text))
  checkDocument(schema, document)
  return print(document)
}

/** A selection alone, with or without its braces. */
const parseSelection = (text: string): SelectionSetNode => {
  // On lines of its own: a comment at the end must not take the brace with it.
  const document = parseDocument(text.trimStart().startsWith("{") ? text : `{\n${text}\n}`)
  const [definition, ...others] = document.definitions
  if (
    definition?.kind !== Kind.OPERATION_DEFINITION ||
    others.length > 0 ||
    definition.operation !== OperationTypeNode.QUERY ||
    definition.name !== undefined ||
    (definition.directives?.length ?? 0) > 0 ||
    (definition.variableDefinitions?.length ?? 0) > 0
  ) {
    throw new InvalidDocumentError("must be one selection set, such as { id name }")
  }
  return definition.selectionSet
}

const documentOf = (
  kind: FieldKind,
  field: GraphQLField,
  selectionSet: SelectionSetNode | undefined,
): DocumentNode => ({
  kind: Kind.DOCUMENT,
  definitions: [
    {
      kind: Kind.OPERATION_DEFINITION,
      operation: kind === "query" ? OperationTypeNode.QUERY : OperationTypeNode.MUTATION,
      name: nameNode(field.name),
      variableDefinitions: field.args.map((argument) => ({
        kind: Kind.VARIABLE_DEFINITION,
        variable: variableNode(argument),
        type: parseType(variableType(argument), { noLocation: true }),
      })),
      selectionSet: {
        kind: Kind.SELECTION_SET,
        selections: [
          {
            kind: Kind.FIELD,
            name: nameNode(field.name),
            arguments: field.args.map((argument) => ({
              kind: Kind.ARGUMENT,
              name: nameNode(argument.name),
              value: variableNode(argument),
            })),
            ...(selectionSet === undefined ? {} : { selectionSet }),
          },
        ],
      },
    },
  ],
})

/** An argument that may be left out has a variable that may be, so that the service's default applies. */
const variableType = (argument: GraphQLArgument): string =>
  isNonNullType(argument.type) && !isRequiredArgument(argument) ? String(argument.type.ofType) : String(argument.type)

const nameNode = (value: string) => ({ kind: Kind.NAME, value }) as const

const variableNode = ({ name }: GraphQLArgument) => ({ kind: Kind.VARIABLE, name: nameNode(name) }) as const
