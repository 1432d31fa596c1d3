/**
 * The rules of one list, filed so that a call looks at few of them: which is the first that matches an address?
 *
 * Each rule is filed under whatever its pattern says literally: the integration, the connection, the tool's name or how it begins. A call
 * asks once per combination that occurs, however many rules there are. Made once per list and kept as long as the list lives.
 */
import type { ConnectionRef } from "../connection/ConnectionRef.ts"
import { type AddressPattern, matchesPattern, parseAddressPattern } from "./AddressPattern.ts"
import type { PolicyRecord } from "./Policy.ts"

/** See the file's header. */
export class PolicyIndex {
  readonly #shapes: ReadonlyArray<Shape>
  readonly #known = new Map<string, PolicyRecord | undefined>()

  constructor(rules: ReadonlyArray<PolicyRecord>) {
    const shapes = new Map<string, Shape>()
    for (const [rank, rule] of rules.entries()) {
      const pattern = readable(rule)
      if (pattern !== undefined) file(shapes, { rank, rule, pattern })
    }
    this.#shapes = [...shapes.values()]
  }

  /** The first rule that matches; `address` is the tool's, by which answers are kept. */
  first(connection: ConnectionRef, tool: string, address: string): PolicyRecord | undefined {
    if (this.#shapes.length === 0) return undefined
    const known = this.#known.get(address)
    if (known !== undefined || this.#known.has(address)) return known
    const found = this.#find(connection, tool)
    if (this.#known.size >= mostKnown) this.#known.clear()
    this.#known.set(address, found)
    return found
  }

  #find(connection: ConnectionRef, tool: string): PolicyRecord | undefined {
    let best: Entry | undefined
    for (const shape of this.#shapes) {
      if (shape.toolLength > tool.length) continue
      const entries = shape.entries.get(keyOf(shape, connection.integration, connection.name, tool))
      if (entries === undefined) continue
      for (const entry of entries) {
        if (best !== undefined && entry.rank > best.rank) break
        if (!matchesPattern(entry.pattern, connection, tool)) continue
        best = entry
        break
      }
    }
    return best?.rule
  }
}

/** The index over a list of rules; made once per list. */
export const policyIndex = (rules: ReadonlyArray<PolicyRecord>): PolicyIndex => {
  const known = indexes.get(rules)
  if (known !== undefined) return known
  const index = new PolicyIndex(rules)
  indexes.set(rules, index)
  return index
}

interface Entry {
  /** Its place in the list. */
  readonly rank: number
  readonly rule: PolicyRecord
  readonly pattern: AddressPattern
}

/** What the patterns filed together have literally. */
interface Shape {
  readonly hasIntegration: boolean
  readonly hasName: boolean
  /** How much of the tool's name: so many characters from the front, or all of it. */
  readonly toolLength: number
  readonly hasWholeTool: boolean
  readonly entries: Map<string, Array<Entry>>
}

/** A rule that an older version took and this one cannot read restricts everything, or else nothing: it must not open a door. */
const readable = (rule: PolicyRecord): AddressPattern | undefined => {
  const pattern = parseAddressPattern(rule.pattern)
  if (!("fault" in pattern)) return pattern
  return rule.action === "approve" ? undefined : (parseAddressPattern("*") as AddressPattern)
}

const file = (shapes: Map<string, Shape>, entry: Entry): void => {
  const { integration, name, tool } = entry.pattern
  const hasWholeTool = tool.literal !== undefined
  // Of how names begin, a power of two: few lengths to try for a call.
  const toolLength = hasWholeTool || tool.prefix === "" ? 0 : 2 ** Math.floor(Math.log2(tool.prefix.length))
  const shapeName = [integration.literal !== undefined, name.literal !== undefined, hasWholeTool, toolLength].join(" ")
  const shape = shapes.get(shapeName) ?? {
    hasIntegration: integration.literal !== undefined,
    hasName: name.literal !== undefined,
    toolLength,
    hasWholeTool,
    entries: new Map<string, Array<Entry>>(),
  }
  shapes.set(shapeName, shape)
  const key = keyOf(shape, integration.literal ?? "", name.literal ?? "", tool.literal ?? tool.prefix)
  const entries = shape.entries.get(key)
  if (entries === undefined) shape.entries.set(key, [entry])
  else entries.push(entry)
}

/** Integrations and names hold no dot, so the parts cannot run into one another. */
const keyOf = (shape: Shape, integration: string, name: string, tool: string): string =>
  `${shape.hasIntegration ? integration : ""}.${shape.hasName ? name : ""}.${
    shape.hasWholeTool ? tool : shape.toolLength === 0 ? "" : tool.slice(0, shape.toolLength)
  }`

const mostKnown = 4096

const indexes = new WeakMap<ReadonlyArray<PolicyRecord>, PolicyIndex>()
