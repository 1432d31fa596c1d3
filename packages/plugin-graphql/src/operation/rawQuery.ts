/**
 * A document that a caller wrote, for the raw tool: one query operation runs; mutations and subscriptions are refused with a reason.
 */
import {
  type DocumentNode,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  print,
} from "graphql"
import { quoted } from "../Json.ts"
import { checkDocument, parseDocument } from "./checkedDocument.ts"
import { InvalidDocumentError } from "./InvalidDocumentError.ts"

/** Why an operation of the raw tool is not run. */
export type RefusedOperation = "mutation" | "subscription"

/** A document that may be sent, or the kind of operation that is refused. */
export type RawQuery =
  { readonly document: string } | { readonly refused: RefusedOperation; readonly fields: ReadonlyArray<string> }

/**
 * Checks a document; fails with `InvalidDocumentError`.
 *
 * @param schema `undefined` while it is not known: then the service judges.
 */
export const rawQuery = (
  schema: GraphQLSchema | undefined,
  text: string,
  operationName: string | undefined,
): RawQuery => {
  const document = parseDocument(text)
  const operations = document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
  // Also the operations that are not chosen: services differ in which one they run.
  const refused = operations.find(({ operation }) => operation !== OperationTypeNode.QUERY)
  if (refused !== undefined) {
    return {
      refused: refused.operation === OperationTypeNode.MUTATION ? "mutation" : "subscription",
      fields: rootFields(refused),
    }
  }
  checkChoice(operations, operationName)
  checkExecutable(document)
  if (schema !== undefined) checkDocument(schema, document)
  return { document: print(document) }
}

const checkChoice = (operations: ReadonlyArray<OperationDefinitionNode>, operationName: string | undefined): void => {
  const names = operations.map(({ name }) => name?.value)
  if (operations.length === 0) throw new InvalidDocumentError("holds no operation")
  if (operationName === undefined) {
    if (operations.length > 1) throw new InvalidDocumentError("holds several operations; say which in operationName")
  } else if (!names.includes(operationName)) {
    throw new InvalidDocumentError(`holds no operation called ${quoted(operationName)}`)
  }
}

const checkExecutable = (document: DocumentNode): void => {
  const isExecutable = document.definitions.every(
    ({ kind }) => kind === Kind.OPERATION_DEFINITION || kind === Kind.FRAGMENT_DEFINITION,
  )
  if (!isExecutable) throw new InvalidDocumentError("may hold operations and fragments only")
}

const rootFields = ({ selectionSet }: OperationDefinitionNode): ReadonlyArray<string> =>
  selectionSet.selections
    .flatMap((selection) => (selection.kind === Kind.FIELD ? [selection.name.value] : []))
    .slice(0, 5)
