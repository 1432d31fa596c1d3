/**
 * What a tool answered, as data that a model reads and a host takes files from.
 */
import type { JsonSchema } from "@keyward/core"
import type { CallToolResult, ContentBlock } from "@modelcontextprotocol/client"

/** An image, a sound, a resource, or a link to one. */
export interface McpFile {
  readonly kind: "image" | "audio" | "resource" | "link"
  readonly mediaType?: string
  /** A resource's own address at the server. A link has nothing else: what is there is not fetched. */
  readonly uri?: string
  readonly name?: string
  readonly title?: string
  readonly description?: string
  /** Of a resource that is text. */
  readonly text?: string
  /** Of everything else that was sent along. */
  readonly base64?: string
  /** The size in bytes, once decoded; of a link, as the server says. */
  readonly bytes?: number
}

/** The `data` of a result. A part that the tool did not answer with is left out. */
export interface McpToolData {
  /** What fits the tool's own output schema. */
  readonly structured?: unknown
  /** The pieces of text, joined by line breaks. Left out where it is `structured` over again. */
  readonly text?: string
  readonly files?: ReadonlyArray<McpFile>
}

/** Reads an answer. */
export const readContent = ({ content, structuredContent }: CallToolResult): McpToolData => {
  const texts: Array<string> = []
  const files: Array<McpFile> = []
  for (const block of content) {
    if (block.type === "text") texts.push(block.text)
    else files.push(fileOf(block))
  }
  const text = texts.join("\n")
  const isRepetition = structuredContent !== undefined && isSameJson(text, structuredContent)
  return {
    ...(structuredContent === undefined ? {} : { structured: structuredContent }),
    ...(texts.length === 0 || isRepetition ? {} : { text }),
    ...(files.length === 0 ? {} : { files }),
  }
}

/** The schema of {@link McpToolData} for a tool, given that of its structured content. */
export const dataSchema = (structured: JsonSchema | undefined): JsonSchema => ({
  type: "object",
  properties: {
    ...(structured === undefined ? {} : { structured: withoutDialect(structured) }),
    text: { type: "string" },
    files: {
      type: "array",
      items: {
        type: "object",
        properties: {
          kind: { enum: ["image", "audio", "resource", "link"] },
          mediaType: { type: "string" },
          uri: { type: "string" },
          name: { type: "string" },
          title: { type: "string" },
          description: { type: "string" },
          text: { type: "string" },
          base64: { type: "string" },
          bytes: { type: "integer" },
        },
        required: ["kind"],
      },
    },
  },
  ...(structured === undefined ? {} : { required: ["structured"] }),
})

const fileOf = (block: Exclude<ContentBlock, { readonly type: "text" }>): McpFile => {
  switch (block.type) {
    case "image":
    case "audio":
      return { kind: block.type, mediaType: block.mimeType, base64: block.data, bytes: sizeOf(block.data) }
    case "resource": {
      const { resource } = block
      const described = { kind: "resource", uri: resource.uri, ...given("mediaType", resource.mimeType) } as const
      return "text" in resource
        ? { ...described, text: resource.text, bytes: Buffer.byteLength(resource.text) }
        : { ...described, base64: resource.blob, bytes: sizeOf(resource.blob) }
    }
    case "resource_link":
      return {
        kind: "link",
        uri: block.uri,
        name: block.name,
        ...given("title", block.title),
        ...given("description", block.description),
        ...given("mediaType", block.mimeType),
        ...given("bytes", block.size),
      }
  }
}

const given = <K extends keyof McpFile>(name: K, value: McpFile[K] | undefined): { readonly [_ in K]?: McpFile[K] } =>
  (value === undefined ? {} : { [name]: value }) as { readonly [_ in K]?: McpFile[K] }

const sizeOf = (base64: string): number => Buffer.byteLength(base64, "base64")

/** Servers repeat structured content as text for clients that know only that. */
const isSameJson = (text: string, value: unknown): boolean => {
  if (text === JSON.stringify(value)) return true
  try {
    return canonical(JSON.parse(text)) === canonical(value)
  } catch {
    return false
  }
}

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([one], [other]) => (one < other ? -1 : 1)))
      : item,
  )

/** A schema with an `$id` is a document of its own wherever it stands; without one its references begin at the root, where it is not. */
const withoutDialect = (schema: JsonSchema): JsonSchema => {
  const { $schema: _, ...rest } = schema
  return "$id" in rest || !/"\$(ref|dynamicRef)":"#/.test(JSON.stringify(rest)) ? rest : { $id: "structured", ...rest }
}
