/**
 * The tools of a server as a catalog keeps them, and a tool of the catalog as the client wants to see it.
 */
import type { Tool } from "@modelcontextprotocol/client"
import type { ToolAnnotations, ToolDef } from "@keyward/core"
import { dataSchema } from "./call/content.ts"

/** What is kept beside what core knows of tools. */
interface ToolData {
  /** The schema of the structured content alone. */
  readonly outputSchema?: Readonly<Record<string, unknown>>
  /** Whether arguments are also sent as headers (`x-mcp-header`), which the client does by the input schema. */
  readonly mirrorsHeaders?: true
}

/** A tool as core's catalog keeps it. The first of two with one name counts; one that cannot be named is left out. */
export const toToolDefs = (tools: ReadonlyArray<Tool>): ReadonlyArray<ToolDef> => {
  const named = new Map<string, ToolDef>()
  for (const tool of tools) if (isNameable(tool) && !named.has(tool.name)) named.set(tool.name, toToolDef(tool))
  return [...named.values()]
}

/** What the client needs to know of a tool for calling it; `undefined` for most. */
export const definitionOf = (tool: ToolDef): Tool | undefined => {
  const known = definitions.get(tool)
  if (known !== undefined) return known
  const { outputSchema, mirrorsHeaders } = (tool.data ?? {}) as ToolData
  if (outputSchema === undefined && mirrorsHeaders === undefined) return undefined
  const definition = {
    name: tool.name,
    inputSchema: tool.inputSchema ?? { type: "object" },
    ...(outputSchema === undefined ? {} : { outputSchema }),
  } as Tool
  definitions.set(tool, definition)
  return definition
}

/** As core asks for it: one such tool must not take the others with it. */
const isNameable = ({ name }: Tool): boolean => name !== "" && name.length <= 512 && name.isWellFormed()

const definitions = new WeakMap<ToolDef, Tool>()

const toToolDef = (tool: Tool): ToolDef => {
  const { name, description, inputSchema, outputSchema } = tool
  const annotations = annotationsOf(tool)
  const mirrorsHeaders = JSON.stringify(inputSchema).includes('"x-mcp-header"')
  const data: ToolData = {
    ...(outputSchema === undefined ? {} : { outputSchema }),
    ...(mirrorsHeaders ? { mirrorsHeaders } : {}),
  }
  return {
    name,
    inputSchema,
    outputSchema: dataSchema(outputSchema),
    ...(description === undefined ? {} : { description }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(Object.keys(data).length === 0 ? {} : { data }),
  }
}

/** Hints are a server's own word about itself; core treats what is absent as a write. */
const annotationsOf = ({ title, annotations }: Tool): ToolAnnotations | undefined => {
  const shown = annotations?.title ?? title
  const { readOnlyHint, destructiveHint, idempotentHint, openWorldHint } = annotations ?? {}
  const hints = { title: shown, readOnlyHint, destructiveHint, idempotentHint, openWorldHint }
  const given = Object.entries(hints).filter(([, value]) => value !== undefined)
  return given.length === 0 ? undefined : Object.fromEntries(given)
}
