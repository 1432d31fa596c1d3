/** What a refresh in the background costs: several processes divide accounts whose tokens have all run out. */
import type { SqlStore } from "@keyward/store-sql"
import type { PostgresServer } from "../../packages/store-sql/test/support/postgresServer.ts"
import { expire, type Place } from "./Accounts.ts"
import { count, type Figure } from "./Figure.ts"
import { Keepers } from "./Keepers.ts"
import { watchLoad } from "./PostgresLoad.ts"

const processes = 4

/** Has all accounts refreshed once, among tables as full as they are; `server` where it is a Postgres whose work can be counted. */
export const keepAliveFigures = async (
  store: SqlStore,
  place: Place,
  accounts: number,
  server?: PostgresServer,
): Promise<ReadonlyArray<Figure>> => {
  await using keepers = await Keepers.start(place, processes)
  await expire(store, accounts)
  const load = server && (await watchLoad(server))
  const startedAt = performance.now()
  keepers.begin()
  await keepers.until(accounts)
  const seconds = (performance.now() - startedAt) / 1000
  const done = await load?.()
  const total = keepers.total("refreshed")
  const per = (value: number, digits: number): string => (value / total).toFixed(digits)
  const each = keepers.each.map(({ refreshed }) => count(refreshed)).join(", ")
  return [
    {
      name: `${count(accounts)} tokens that have run out, refreshed by ${processes} processes, 4 at a time each`,
      value: `${count(total)} refreshes in ${seconds.toFixed(1)} s: ${count(accounts / seconds)} a second; each process did ${each}`,
    },
    { name: "processor time of the processes per refresh", value: `${per(keepers.total("cpuMs"), 1)} ms` },
    ...(done === undefined
      ? []
      : [
          {
            name: "statements per refresh, each its own transaction; looks and claims included",
            value: per(keepers.total("statements"), 1),
          },
          {
            name: "rows written per refresh: lease taken and given back, intent, two secrets, row, claim",
            value: per(done.rowsWritten, 1),
          },
          ...(done.cpuMs === undefined
            ? []
            : [{ name: "processor time of Postgres per refresh", value: `${per(done.cpuMs, 1)} ms` }]),
        ]),
  ]
}
