/**
 * A tool: what a plugin declares, what a catalog keeps, and what a host is shown.
 */
import type { Owner } from "../identity/Identity.ts"

/** A JSON Schema, draft 2020-12. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** Hints in the words of the MCP specification; absent means unknown, and unknown counts as a write. */
export interface ToolAnnotations {
  readonly title?: string | undefined
  readonly readOnlyHint?: boolean | undefined
  readonly destructiveHint?: boolean | undefined
  readonly idempotentHint?: boolean | undefined
  readonly openWorldHint?: boolean | undefined
}

/** A tool as a plugin's `resolveTools` returns it; plain JSON, kept in the catalog. */
export interface ToolDef {
  /** Unique in its catalog; may hold dots. */
  readonly name: string
  readonly description?: string | undefined
  /** Checked before every call. Absent: the plugin describes it when asked (`describeTool`), or takes any object. */
  readonly inputSchema?: JsonSchema | undefined
  readonly outputSchema?: JsonSchema | undefined
  readonly annotations?: ToolAnnotations | undefined
  /** Words that `tools.search` finds the tool by besides name, title and description, such as a path; never shown. */
  readonly keywords?: ReadonlyArray<string> | undefined
  /** Whether a person is asked before each call where no rule says otherwise. Default: the annotations decide. */
  readonly requiresApproval?: boolean | undefined
  /** The plugin's own data about the tool, handed back with each call; plain JSON, never shown. */
  readonly data?: unknown
}

/** What `tools.schema` shows of one tool. */
export interface ToolSchema {
  readonly inputSchema: JsonSchema
  readonly outputSchema: JsonSchema | null
  /** The input as a TypeScript type, where the plugin makes one. */
  readonly inputTypeScript?: string | undefined
  readonly outputTypeScript?: string | undefined
  readonly description?: string | undefined
  readonly annotations?: ToolAnnotations | undefined
}

/** One line of `tools.list`. */
export interface Tool {
  /** `tools.<integration>.<owner>.<connection>.<name>`. */
  readonly address: string
  readonly name: string
  readonly integration: string
  readonly owner: Owner
  /** The connection's name. */
  readonly connection: string
  readonly description: string | null
  readonly annotations: ToolAnnotations
}

/** How far a call is, as its service says. */
export interface ToolProgress {
  /** Grows with each report. */
  readonly progress: number
  /** What `progress` is out of, where that is known. */
  readonly total?: number | undefined
  readonly message?: string | undefined
}

/** The schema of a tool that says nothing about its input. */
export const anyObject: JsonSchema = { type: "object", additionalProperties: true }
