/**
 * What the contract knows of lists: their order, names on which careless orders differ, and reading them page by page.
 */
import * as assert from "node:assert/strict"
import type { ConnectionRow } from "../connection/Connection.ts"

/** Compares code unit by code unit, the order of every list. */
export const byCodeUnits = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)

/** The order of connection lists. */
export const inListOrder = (rows: ReadonlyArray<ConnectionRow>): ReadonlyArray<ConnectionRow> =>
  [...rows].sort(
    (one, other) =>
      byCodeUnits(one.integration, other.integration) ||
      byCodeUnits(one.owner, other.owner) ||
      byCodeUnits(one.name, other.name),
  )

/** Everything in pages of a size; stops with an error where a store would lead round in circles. */
export const inPages = async <A>(
  limit: number,
  expected: number,
  read: (after: A | undefined) => Promise<ReadonlyArray<A>>,
): Promise<ReadonlyArray<A>> => {
  const seen: Array<A> = []
  for (;;) {
    const page = await read(seen.at(-1))
    assert.ok(page.length <= limit, "A page is longer than its limit.")
    seen.push(...page)
    assert.ok(seen.length <= expected, "The pages hold more than the whole list.")
    if (page.length < limit) return seen
  }
}

/**
 * Names whose order is a trap: by UTF-8 bytes or by code points U+10000 comes after U+FF21, by UTF-16 code units before;
 * a collation folds case, width and composition, or ignores signs.
 */
export const orderedNames = [
  "b",
  "a",
  "B",
  "A",
  "_",
  "$",
  "a1",
  "a10",
  "a2",
  "é",
  "e\u0301",
  "e",
  "Z",
  "\u{10000}",
  "\uff21",
  "ß",
  "ss",
]
