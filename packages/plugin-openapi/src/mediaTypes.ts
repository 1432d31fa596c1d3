/**
 * What a media type means for a body: how it is written, and how an answer in it is read.
 */

/** The ways in which a body is written or read. */
export type BodyKind = "json" | "form" | "multipart" | "text" | "binary"

/** The kind of a media type; `undefined` for a wildcard, which says nothing. */
export const kindOfMediaType = (mediaType: string): BodyKind | undefined => {
  // Asked for every response, and there are few different ones.
  const known = kinds.get(mediaType)
  if (known !== undefined || kinds.has(mediaType)) return known
  const kind = findKind(essenceOf(mediaType))
  if (kinds.size >= mostKinds) kinds.clear()
  if (mediaType.length <= longestKept) kinds.set(mediaType, kind)
  return kind
}

/** A media type without parameters, in lower case. */
export const essenceOf = (mediaType: string): string => (mediaType.split(";", 1)[0] ?? "").trim().toLowerCase()

/** Whether a media type may be written into a header as it stands. */
export const isMediaType = (mediaType: string): boolean => wellFormed.test(mediaType)

const isJson = /[/+.-]json(5|[+-][a-z0-9.+-]*)?$/
const isSequence = /[/+](x-)?(ndjson|jsonl|jsonlines|json-lines|json-seq)$/
const isFileRange = /^(image|audio|video|font|model)\//
const isText =
  /^application\/([a-z0-9.+_-]*\+)?(xml|yaml|x-yaml|graphql|sql|javascript|ecmascript|typescript|toml|csv|html|x-sh|ld|n-quads|n-triples|trig|turtle|rtf|sparql-query|sparql-update|xhtml)$|\+(xml|yaml)$/
const wellFormed =
  /^[A-Za-z0-9!#$&^_.+-]+\/[A-Za-z0-9!#$&^_.+-]+( ?; ?[A-Za-z0-9!#$&^_.+-]+=("[\u0020\u0021\u0023-\u005b\u005d-\u007e]*"|[A-Za-z0-9!#$&^_.+:-]+))*$/

const kinds = new Map<string, BodyKind | undefined>()
const mostKinds = 1_000
const longestKept = 200

const findKind = (essence: string): BodyKind | undefined => {
  if (essence.includes("*") && !essence.startsWith("text/") && !isFileRange.test(essence)) return undefined
  if (isSequence.test(essence)) return "text"
  if (isJson.test(essence)) return "json"
  if (essence === "application/x-www-form-urlencoded") return "form"
  if (essence.startsWith("multipart/")) return "multipart"
  return essence.startsWith("text/") || isText.test(essence) ? "text" : "binary"
}
