/**
 * What is wrong with GraphQL text that a caller wrote.
 */

/** A fault in the text of an argument; becomes `invalid_arguments`. */
export class InvalidDocumentError extends Error {
  override readonly name = "InvalidDocumentError"
}
