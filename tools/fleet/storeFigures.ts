/** What the background asks of a table of connections, and whether it costs more with a million rows than with ten thousand. */
import type { SqlStore } from "@keyward/store-sql"
import * as Effect from "effect/Effect"
import type { Place } from "./Accounts.ts"
import { count, type Figure, medianMs } from "./Figure.ts"
import { fill, filledKey, filledTenant } from "./fill.ts"

interface Costs {
  readonly lookMs: number
  readonly lookPastClaimsMs: number
  readonly claimMs: number
  readonly putMs: number
  readonly getMs: number
  readonly listMs: number
}

/** So many rows there are when each is measured. */
const sizes = [10_000, 100_000, 1_000_000] as const

/** Those that a look is past, because others have claimed them. */
const claimedAhead = 2_000

/** Measures a store with more and more rows. */
export const storeFigures = async (store: SqlStore, place: Place): Promise<ReadonlyArray<Figure>> => {
  const found: Array<readonly [size: number, costs: Costs]> = []
  let filled = 0
  for (const size of sizes) {
    await fill(place, filled, size)
    filled = size
    found.push([size, await costsOf(store, size)])
  }
  const each = (value: (costs: Costs) => number): string => {
    const figures = found.map(([size, costs]) => `${value(costs).toFixed(2)} ms with ${count(size)}`)
    const [first, , last] = found.map(([, costs]) => value(costs))
    return `${figures.join(", ")} (${((last ?? 0) / (first ?? 1)).toFixed(1)} ×)`
  }
  return [
    { name: "a look: the 1,000 that run out first", value: each(({ lookMs }) => lookMs) },
    { name: `the same past ${count(claimedAhead)} that are claimed`, value: each((costs) => costs.lookPastClaimsMs) },
    { name: "claiming 16", value: each(({ claimMs }) => claimMs) },
    { name: "writing a row", value: each(({ putMs }) => putMs) },
    { name: "reading a row past the cache", value: each(({ getMs }) => getMs) },
    { name: "the first 50 of a user's list", value: each(({ listMs }) => listMs) },
  ]
}

const costsOf = async ({ connections }: SqlStore, size: number): Promise<Costs> => {
  const now = Date.now()
  const before = now + 24 * 3_600_000
  const look = (at: number) =>
    Effect.runPromise(connections.expiring({ tenant: filledTenant, before, limit: 1000, unclaimedAt: at }))
  const lookMs = await medianMs(11, () => look(now))
  const claim = (from: number, claimed: number) => {
    const keys = Array.from({ length: claimed }, (_, index) => filledKey(from + index))
    return Effect.runPromise(connections.claim(filledTenant, keys, { now, until: now + 60_000 }))
  }
  const someClaims = 50
  const claimMs = await medianMs(someClaims, (index) => claim(claimedAhead + index * 16, 16))
  for (let from = 0; from < claimedAhead; from += 500) await claim(from, 500)
  const lookPastClaimsMs = await medianMs(11, () => look(now))
  // All claims are over by then.
  await Effect.runPromise(connections.claim(filledTenant, [filledKey(0)], { now: now + 120_000, until: now + 120_001 }))
  const at = (index: number) => filledKey((index * 7919) % size)
  const getMs = await medianMs(200, (index) => Effect.runPromise(connections.get(at(index))))
  const rows = await Promise.all(
    Array.from({ length: 200 }, (_, index) => Effect.runPromise(connections.get(at(index)))),
  )
  const putMs = await medianMs(rows.length, (index) => {
    const row = rows[index]
    if (row === undefined) throw new Error("A row is gone.")
    return Effect.runPromise(connections.put({ ...row, version: row.version + 1 }, row.version))
  })
  const listMs = await medianMs(100, (index) => {
    const { tenant, subject } = at(index)
    return Effect.runPromise(connections.list({ tenant, subject, limit: 50 }))
  })
  return { lookMs, lookPastClaimsMs, claimMs, putMs, getMs, listMs }
}
