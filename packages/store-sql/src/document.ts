/** Records as JSON text that gives back exactly what was written. */

/** Serializes a record. Text that is not well-formed and U+0000 are escaped by JSON, so every database holds the result. */
export const toDocument = (record: unknown): string => JSON.stringify(record)

/** The same for what plugins and hosts put in: keeps `-0`, which JSON can say and `JSON.stringify` does not. */
export const toForeignDocument = (record: unknown): string =>
  JSON.stringify(record, (_, value: unknown) => (Object.is(value, -0) ? rawJSON("-0") : value))

/** The text of a list of records, to be read as one document. */
export const documentsOf = (rows: ReadonlyArray<{ readonly document: string }>): string =>
  `[${rows.map(({ document }) => document).join(",")}]`

/** Reads a document; whoever wrote it was this package. */
export const fromDocument = (document: string): unknown => JSON.parse(document)

/** In every Node this package runs on, and not yet in TypeScript's library. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown }
