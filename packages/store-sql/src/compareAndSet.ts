/** How records that several processes may change are written: only over the version that was read. */
import type { Kysely } from "kysely"
import type { Tables } from "./tables.ts"
import { wasWritten } from "./wasWritten.ts"

/** Tables whose rows count their changes; an integration's count is its revision. */
type CountingTable = {
  [T in keyof Tables]: Tables[T] extends { readonly document: string } & (
    { readonly version: number } | { readonly revision: number }
  )
    ? T
    : never
}[keyof Tables]

type Columns = Record<string, string | number | null>

/** Writes a row if the stored version is the expected one; `0` expects that there is none. Answers whether it did. */
export const compareAndSet = async <T extends CountingTable>(
  db: Kysely<Tables>,
  table: T,
  key: Partial<Tables[T]>,
  written: Partial<Tables[T]>,
  expectedVersion: number,
): Promise<boolean> => {
  const rows = db as unknown as Kysely<Record<string, Columns>>
  const name: string = table
  const [place, values] = [key as Columns, written as Columns]
  const count = "revision" in values ? "revision" : "version"
  return wasWritten(
    expectedVersion === 0
      ? await rows
          .insertInto(name)
          .values({ ...place, ...values })
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirst()
      : await rows
          .updateTable(name)
          .set(values)
          .where((eb) => eb.and({ ...place, [count]: expectedVersion }))
          .executeTakeFirst(),
  )
}
