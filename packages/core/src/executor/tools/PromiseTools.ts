/** `executor.tools` on the Promise surface; the Effect surface does the work. */
import type { Tool, ToolSchema } from "../../tool/Tool.ts"
import { runPromise } from "../runPromise.ts"
import type { EffectTools } from "./EffectTools.ts"
import type { FoundTool, SearchToolsInput } from "./searchTools.ts"
import type { ListToolsInput } from "./Tools.ts"

/** The tools that a caller's connections offer. */
export class Tools {
  readonly #effect: EffectTools

  constructor(effect: EffectTools) {
    this.#effect = effect
  }

  /**
   * Ordered by connection, then as the plugin orders them; at most 10 000 unless `limit` says otherwise. Rejects with
   * `InvalidConnectionInputError` for what is no page.
   */
  list(input?: ListToolsInput): Promise<ReadonlyArray<Tool>> {
    return runPromise(this.#effect.list(input))
  }

  /**
   * The tools that fit a query best, best first: by name, title, path, description and integration.
   *
   * A tool is there once, with the addresses of the connections that offer it. Words need not all occur; an empty query finds
   * nothing. The first search of a catalog builds its index.
   */
  search(input: SearchToolsInput): Promise<ReadonlyArray<FoundTool>> {
    return runPromise(this.#effect.search(input))
  }

  /** What a tool takes and gives, as JSON Schema 2020-12, or `null` when this caller sees no such tool. */
  schema(address: string): Promise<ToolSchema | null> {
    return runPromise(this.#effect.schema(address))
  }
}
