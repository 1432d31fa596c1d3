/**
 * The tools of one integration revision, or of one connection where they differ per account.
 *
 * Stored once and pointed to: adding a connection to an API of a thousand operations writes one row.
 */
import type * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { ConnectionKey } from "../connection/ConnectionRef.ts"
import type { Reading } from "../connection/ConnectionStore.ts"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { ToolDef } from "./Tool.ts"
import { InvalidToolError } from "./ToolError.ts"

/** Which catalog: an integration's at a revision, or, with `connection`, that connection's own. */
export interface CatalogKey {
  readonly tenant: string
  readonly integration: string
  readonly revision: number
  readonly connection: ConnectionKey | null
}

/** Where catalogs are kept. A catalog is replaced whole or not at all. */
export interface CatalogStore {
  /** Default of `reading`: `stored`. */
  get(key: CatalogKey, reading?: Reading): Effect.Effect<ReadonlyArray<ToolDef> | undefined, StoreUnavailableError>
  put(key: CatalogKey, tools: ReadonlyArray<ToolDef>): Effect.Effect<void, StoreUnavailableError>
  /** Deletes a connection's own catalog at any revision, or, with `connection: null`, every catalog of the integration. */
  remove(key: Omit<CatalogKey, "revision">): Effect.Effect<void, StoreUnavailableError>
}

/** A catalog with what makes looking up and filtering cheap. */
export class ToolCatalog {
  readonly tools: ReadonlyArray<ToolDef>
  readonly #byName: ReadonlyMap<string, ToolDef>
  #haystacks: ReadonlyArray<string> | undefined

  constructor(tools: ReadonlyArray<ToolDef>) {
    this.tools = tools
    this.#byName = new Map(tools.map((tool) => [tool.name, tool]))
  }

  get(name: string): ToolDef | undefined {
    return this.#byName.get(name)
  }

  /** The tools whose name or description holds every word of the query, in the catalog's order. Case is ignored. */
  matching(query: string | undefined): ReadonlyArray<ToolDef> {
    const words =
      query
        ?.toLowerCase()
        .split(/\s+/)
        .filter((word) => word !== "") ?? []
    if (words.length === 0) return this.tools
    this.#haystacks ??= this.tools.map((tool) => `${tool.name} ${tool.description ?? ""}`.toLowerCase())
    const haystacks = this.#haystacks
    return this.tools.filter((_, index) => words.every((word) => haystacks[index]?.includes(word) === true))
  }

  /** Up to `limit` names that are near a name that is not here, nearest first. */
  near(name: string, limit: number): ReadonlyArray<string> {
    const wanted = trigrams(name)
    return this.tools
      .map((tool) => ({ name: tool.name, score: similarity(wanted, trigrams(tool.name)) }))
      .filter(({ score }) => score > 0.2)
      .sort((one, other) => other.score - one.score)
      .slice(0, limit)
      .map((candidate) => candidate.name)
  }
}

/** Checks what a plugin listed: names are there, of a bearable length, and unique. */
export const checkTools = (
  integration: string,
  tools: ReadonlyArray<ToolDef>,
): Result.Result<ReadonlyArray<ToolDef>, InvalidToolError> => {
  const names = new Set<unknown>()
  // The plugin may not have been type-checked.
  if (!Array.isArray(tools)) {
    const fault = "resolveTools must return a list of tools."
    return Result.fail(new InvalidToolError({ integration, tool: typeof tools, fault }))
  }
  for (const tool of tools as ReadonlyArray<{ readonly name: unknown } | null | undefined>) {
    const name = tool?.name
    const fault =
      typeof name !== "string" || name === "" || name.length > 512 || !name.isWellFormed()
        ? "its name must be 1 to 512 characters of well-formed text."
        : names.has(name)
          ? "its name is used twice."
          : undefined
    if (fault !== undefined) return Result.fail(new InvalidToolError({ integration, tool: String(name), fault }))
    names.add(name)
  }
  return Result.succeed(tools)
}

const trigrams = (name: string): ReadonlySet<string> => {
  const words = name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ")
  const padded = `  ${words.trim()} `
  const grams = new Set<string>()
  for (let index = 0; index + 3 <= padded.length; index += 1) grams.add(padded.slice(index, index + 3))
  return grams
}

const similarity = (one: ReadonlySet<string>, other: ReadonlySet<string>): number => {
  let shared = 0
  for (const gram of one) if (other.has(gram)) shared += 1
  return (2 * shared) / (one.size + other.size)
}
