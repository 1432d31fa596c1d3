/** Which of the two families of SQL a database speaks, and the few places where they differ. */
import { type RawBuilder, sql } from "kysely"

/** `sqlite` 3.42 or later, or `postgres` 12 or later. */
export type SqlFlavor = "sqlite" | "postgres"

/** The database's own clock, epoch milliseconds, as it is while the statement runs. */
export const databaseNow = (flavor: SqlFlavor): RawBuilder<number> =>
  flavor === "sqlite"
    ? sql<number>`cast(unixepoch('subsec') * 1000 as integer)`
    : sql<number>`cast(extract(epoch from clock_timestamp()) * 1000 as bigint)`
