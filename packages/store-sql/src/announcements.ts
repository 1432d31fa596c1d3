/**
 * How Postgres tells processes that a record was changed: triggers send a notification in the writer's transaction, whoever writes.
 *
 * Called by `migrations.ts` for the tables whose records are kept in memory, and by `PostgresWatch` for the channel. SQLite needs none.
 */
import { createHash } from "node:crypto"
import type { RecordKey } from "./RowCache.ts"

/** The channel of a schema; channels belong to a whole database. */
export const channelOf = (schema: string): string =>
  `keyward_${createHash("sha256").update(schema).digest("hex").slice(0, 32)}`

/** What was changed: one record, or all whose key goes on from this one. */
export interface Announcement {
  readonly extent: "row" | "under"
  readonly key: RecordKey
}

/** Postgres takes less than 8000 bytes. */
const mostBytes = 7900

/**
 * The statements after which every change of a table is announced as a record of that kind, whose key are these columns. With
 * `extent: "under"`, for lists that are kept as one record, it is that of all records whose key goes on from there.
 */
export const announcing = (
  { table, schema }: { readonly table: (name: string) => string; readonly schema: string },
  name: string,
  kind: string,
  columns: ReadonlyArray<string>,
  extent: Announcement["extent"] = "row",
): ReadonlyArray<string> => {
  const channel = channelOf(schema)
  const announcer = table(`${name}_announce`)
  return [
    `create or replace function ${announcer}() returns trigger language plpgsql as $$
declare
  changed record;
  payload text;
begin
  if tg_op = 'DELETE' then changed := old; else changed := new; end if;
  payload := json_build_array('${extent}', '${kind}', ${columns.map((column) => `changed.${column}`).join(", ")})::text;
  if octet_length(payload) > ${mostBytes} then payload := '["under", "${kind}"]'; end if;
  perform pg_notify('${channel}', payload);
  return null;
end
$$`,
    `create trigger ${name}_announce after insert or update or delete on ${table(name)}
  for each row execute function ${announcer}()`,
  ]
}

/** Reads what a trigger sent; `undefined` where it was somebody else who sent it. */
export const toAnnouncement = (payload: string | undefined): Announcement | undefined => {
  let words: unknown
  try {
    words = JSON.parse(payload ?? "")
  } catch {
    return undefined
  }
  if (!Array.isArray(words) || !words.every((word) => typeof word === "string")) return undefined
  const [extent, kind, ...columns] = words as ReadonlyArray<string>
  if ((extent !== "row" && extent !== "under") || kind === undefined) return undefined
  return { extent, key: [kind, ...columns] }
}
