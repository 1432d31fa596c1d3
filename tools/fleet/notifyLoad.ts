/** What it costs that every changed row is announced: eight writers on one Postgres, with the triggers and without them. */
import { Client } from "pg"
import type { PostgresServer } from "../../packages/store-sql/test/support/postgresServer.ts"
import { count, type Figure, median } from "./Figure.ts"
import { filledTenant } from "./fill.ts"

const writers = 8
const rounds = 3
const roundMs = 3_000

/** Measures both alternately, without and with processes that listen. */
export const notifyLoad = async (server: PostgresServer, rows: number): Promise<ReadonlyArray<Figure>> => {
  const figures: Array<Figure> = []
  const [channel] = await server.query(
    `select substring(prosrc from 'pg_notify\\(''([a-z0-9_]+)''') as name from pg_proc where proname = 'keyward_connections_announce'`,
  )
  for (const listeners of [0, 8]) {
    const listening = await Promise.all(Array.from({ length: listeners }, () => open(server)))
    for (const client of listening) await client.query(`listen ${String(channel?.["name"])}`)
    const rates = { enable: [] as Array<number>, disable: [] as Array<number> }
    for (let round = 0; round < rounds; round += 1) {
      for (const how of ["disable", "enable"] as const) {
        await server.query(`alter table keyward_connections ${how} trigger keyward_connections_announce`)
        rates[how].push(await changesPerSecond(server, rows))
      }
    }
    for (const client of listening) await client.end()
    const [announced, silent] = [median(rates.enable), median(rates.disable)]
    figures.push({
      name: `changed rows per second, ${writers} writers, ${listeners} processes listening`,
      value: `${count(announced)} announced, ${count(silent)} without the trigger: ${(announced / silent).toFixed(2)} ×`,
    })
  }
  return figures
}

const open = async (server: PostgresServer): Promise<Client> => {
  const client = new Client({ connectionString: server.connectionString })
  await client.connect()
  return client
}

/** Each change is a transaction, as the store's are. */
const changesPerSecond = async (server: PostgresServer, rows: number): Promise<number> => {
  const clients = await Promise.all(Array.from({ length: writers }, () => open(server)))
  let changes = 0
  const startedAt = performance.now()
  await Promise.all(
    clients.map(async (client, writer) => {
      for (let index = writer; performance.now() - startedAt < roundMs; index += 7919 * writers) {
        await client.query({
          name: "change",
          text: `update keyward_connections set version = version + 1
                 where tenant = $1 and subject = $2 and integration = 'service' and name = 'account0'`,
          values: [filledTenant, `user${index % rows}`],
        })
        changes += 1
      }
    }),
  )
  const seconds = (performance.now() - startedAt) / 1000
  for (const client of clients) await client.end()
  return changes / seconds
}
