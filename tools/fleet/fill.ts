/** Fills the table of connections with copies of one granted row, by SQL, their tokens running out evenly over an hour. */
import { DatabaseSync } from "node:sqlite"
import { Client } from "pg"
import { type Place, tenant } from "./Accounts.ts"

/** The tenant of the copies, one connection to a user. */
export const filledTenant = "filled"

/** The key of one of them. */
export const filledKey = (index: number) => ({
  tenant: filledTenant,
  subject: `user${index}`,
  owner: "user" as const,
  integration: "service",
  name: "account0",
})

/** Has the table hold so many, given how many it holds already. */
export const fill = async (place: Place, from: number, to: number): Promise<void> => {
  const start = Date.now() + 600_000
  const expiry = `${start} + cast(3600000.0 * n / ${to} as bigint)`
  const insert = (series: string): string => `
    insert into keyward_connections (tenant, subject, integration, name, version, refresh_before, document)
    select '${filledTenant}', 'user' || n, integration, name, version, ${expiry},
           replace(replace(document, '"somebody"', '"user' || n || '"'), '"${tenant}"', '"${filledTenant}"')
    from ${series}, keyward_connections
    where tenant = '${tenant}' and name = 'account0'`
  if ("filename" in place) {
    const database = new DatabaseSync(place.filename, { timeout: 60_000 })
    // Apart from the copying, because a recursive query cannot be joined with the table that it fills.
    database.exec(`
      create temp table numbers as
        with recursive series(n) as (select ${from} union all select n + 1 from series where n < ${to - 1}) select n from series;
      ${insert("numbers")};
      drop table numbers;
      analyze`)
    database.close()
    return
  }
  const client = new Client({ connectionString: place.connectionString })
  await client.connect()
  await client.query(insert(`generate_series(${from}, ${to - 1}) as numbers(n)`))
  await client.query("vacuum analyze keyward_connections")
  await client.end()
}
