/**
 * `executor.tools.search`: the tools that fit a query best, among those that the caller's connections offer.
 *
 * One hit for a tool, however many connections offer it: somebody with fifty accounts sees ten tools, not one tool ten times.
 */
import * as Effect from "effect/Effect"
import { InvalidConnectionInputError } from "../../connection/ConnectionError.ts"
import { connectionAddress } from "../../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { IntegrationRecord } from "../../integration/Integration.ts"
import type { Tool } from "../../tool/Tool.ts"
import type { ToolCatalog } from "../../tool/ToolCatalog.ts"
import type { RankedTool } from "../../tool/ToolIndex.ts"
import { mayCall } from "../agents/access.ts"
import type { Resources } from "../Resources.ts"
import { type OfferedCatalog, type OfferedToolsFilter, walkOfferedTools } from "./offeredTools.ts"
import { toTool } from "./Tools.ts"

/** What to look for, and among which connections. */
export interface SearchToolsInput extends OfferedToolsFilter {
  /** A few words or a sentence. The integration's name may be among them. */
  readonly query: string
  /** At most so many tools, 1 to 100. Default 10. */
  readonly limit?: number | undefined
}

/** A tool that a query found, at the first of the connections that offer it. */
export interface FoundTool extends Tool {
  /** Above 0, and more is better. Says something beside other scores of the same answer only. */
  readonly score: number
  /** The tool's address at each connection that offers it, in the order of `tools.list`; at most ten. */
  readonly addresses: ReadonlyArray<string>
  /** How many connections offer it. */
  readonly addressCount: number
}

/** Finds tools, best first. */
export const searchTools = (
  resources: Resources,
  identity: Identity,
  input: SearchToolsInput,
): Effect.Effect<ReadonlyArray<FoundTool>, InvalidConnectionInputError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const { query, limit = 10 } = input
    if (typeof query !== "string") return yield* invalid("query", "must be text: what the tool should do.")
    if (!Number.isInteger(limit) || limit < 1 || limit > mostHits) {
      return yield* invalid("limit", `must be a whole number from 1 to ${mostHits}.`)
    }
    // By integration and then by catalog: two integrations may have the same one, one integration several.
    const offers = new Map<string, Map<ToolCatalog, Offer>>()
    yield* walkOfferedTools(resources, identity, input, {}, (offered) => {
      const { integration, catalog } = offered
      const ofIntegration = offers.get(integration.slug) ?? new Map<ToolCatalog, Offer>()
      offers.set(integration.slug, ofIntegration)
      const offer = ofIntegration.get(catalog)
      if (offer === undefined) ofIntegration.set(catalog, { integration, catalog, connections: [offered] })
      else offer.connections.push(offered)
      return "on"
    })
    if (offers.size === 0) return []
    const { readQuery, toolIndexOf } = yield* Effect.promise(() => import("../../tool/ToolIndex.ts"))
    const words = readQuery(query)
    const ranked: Array<RankedOffer> = []
    for (const offer of [...offers.values()].flatMap((ofIntegration) => [...ofIntegration.values()])) {
      const index = yield* Effect.promise(() => toolIndexOf(offer.catalog))
      const { slug, name } = offer.integration
      for (const { tool, score } of index.search(words, `${slug} ${name}`)) ranked.push({ offer, tool, score })
    }
    ranked.sort((one, other) => other.score - one.score)
    return bestOf(ranked, limit, offers)
  })

/** A catalog with the connections that offer it. */
interface Offer {
  readonly integration: IntegrationRecord
  readonly catalog: ToolCatalog
  readonly connections: Array<Pick<OfferedCatalog, "connection" | "isShown">>
}

interface RankedOffer extends RankedTool {
  readonly offer: Offer
}

const mostHits = 100
const mostAddresses = 10

const invalid = (field: string, fault: string): Effect.Effect<never, InvalidConnectionInputError> =>
  Effect.fail(new InvalidConnectionInputError({ field, fault }))

/** The first hits of different tools that the caller may call. Catalogs of one integration may hold the same tool more than once. */
const bestOf = (
  ranked: ReadonlyArray<RankedOffer>,
  limit: number,
  offers: ReadonlyMap<string, ReadonlyMap<ToolCatalog, Offer>>,
): ReadonlyArray<FoundTool> => {
  const seen = new Set<string>()
  const best: Array<FoundTool> = []
  for (const { offer, tool, score } of ranked) {
    const { slug } = offer.integration
    const key = JSON.stringify([slug, tool.name])
    if (seen.has(key)) continue
    seen.add(key)
    const found = toFound(tool.name, score, offers.get(slug)?.values() ?? [])
    if (found !== undefined) best.push(found)
    if (best.length >= limit) break
  }
  return best
}

/** A tool with the connections that offer it to the caller; `undefined` where none does. */
const toFound = (name: string, score: number, offers: Iterable<Offer>): FoundTool | undefined => {
  let first: Tool | undefined
  let addressCount = 0
  const addresses: Array<string> = []
  for (const { catalog, connections } of offers) {
    const tool = catalog.get(name)
    if (tool === undefined) continue
    for (const { connection, isShown } of connections) {
      if (mayCall(connection, tool) !== "allowed" || !isShown(tool)) continue
      first ??= toTool(connection.row, tool)
      if (addresses.length < mostAddresses) addresses.push(`${connectionAddress(connection.row)}.${name}`)
      addressCount += 1
    }
  }
  return first && { ...first, score, addresses, addressCount }
}
