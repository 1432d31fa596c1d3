/**
 * The tools of a server as a catalog keeps them, and a tool of the catalog as the client wants to see it.
 */
import type { ToolAnnotations, ToolDef } from "@keyward/core"
import type { Tool } from "@modelcontextprotocol/client"
import { dataSchema } from "./call/content.ts"
import { faultsOf } from "./listing/mendListing.ts"

/** What is kept beside what core knows of tools. */
interface ToolData {
  /** The schema of the structured content alone. */
  readonly outputSchema?: Readonly<Record<string, unknown>>
  /** Whether arguments are also sent as headers (`x-mcp-header`), which the client does by the input schema. */
  readonly mirrorsHeaders?: true
}

/** The tools as core's catalog keeps them. Of what cannot be used of one, `reportFault` is told; the others are there all the same. */
export const toToolDefs = (
  tools: ReadonlyArray<Tool>,
  reportFault: (fault: string) => void,
): ReadonlyArray<ToolDef> => {
  const named = new Map<string, ToolDef>()
  for (const tool of tools) {
    const unusable = unusableBecause(tool, named)
    if (unusable === undefined) named.set(tool.name, toToolDef(tool))
    else reportFault(`Left out, because ${unusable}: the tool ${quoted(tool.name)}.`)
    const leftOut = faultsOf(tool)?.leftOut ?? []
    if (leftOut.length > 0)
      reportFault(`Used without ${listed(leftOut)}, not being sound: the tool ${quoted(tool.name)}.`)
  }
  return [...named.values()]
}

/** More of it than anybody is shown: half a secret is not known for one. */
const quoted = (text: string): string => JSON.stringify(text.slice(0, 2_000).toWellFormed())

const mostPlaces = 5

const listed = (places: ReadonlyArray<string>): string => {
  const shown = places.slice(0, mostPlaces).map(quoted)
  const more = places.length - shown.length
  return `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`
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

/** Names as core asks for them: one such tool must not take the others with it. The first of two with one name counts. */
const unusableBecause = (tool: Tool, named: ReadonlyMap<string, ToolDef>): string | undefined => {
  const { name } = tool
  const reason = faultsOf(tool)?.unusable
  if (reason !== undefined) return reason
  if (name === "" || name.length > 512 || !name.isWellFormed()) return "its name cannot be used"
  return named.has(name) ? "its name is taken" : undefined
}

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
