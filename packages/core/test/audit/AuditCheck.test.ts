/** What a check of a chain finds, with a key and without one; and what it cannot find. */
import { createHash, createHmac, createSecretKey, randomBytes } from "node:crypto"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  type AuditKeys,
  canonicalJson,
  emptyHead,
  firstHash,
  linkEntries,
  readAuditKeys,
  removedHead,
} from "../../src/audit/auditChain.ts"
import { type AuditAnchor, AuditCheck } from "../../src/audit/AuditCheck.ts"
import type { AuditDraft, AuditEntry, AuditHead } from "../../src/audit/AuditEntry.ts"
import { auditDraft } from "../../src/testing/storeAuditCases.ts"

interface Chain {
  readonly entries: ReadonlyArray<AuditEntry>
  readonly head: AuditHead
}

const drafts = (count: number): ReadonlyArray<AuditDraft> =>
  Array.from({ length: count }, (_, index) => auditDraft("acme", `id${index}`, { outcome: "ok", at: index }))

const chainOf = (count: number, keys: AuditKeys): Chain => linkEntries(emptyHead("acme", keys), drafts(count), keys)

const faultOf = ({ entries, head }: Chain, keys: AuditKeys, anchor?: AuditAnchor) => {
  const check = new AuditCheck(head, keys, anchor)
  check.add(entries)
  check.end()
  return check.fault
}

const without = ({ entries, head }: Chain, index: number): Chain => ({ head, entries: entries.toSpliced(index, 1) })

const changed = ({ entries, head }: Chain, index: number, change: Partial<AuditEntry>): Chain => ({
  head,
  entries: entries.map((entry, at) => (at === index ? { ...entry, ...change } : entry)),
})

const key = createSecretKey(randomBytes(32))
const other = createSecretKey(randomBytes(32))

describe.each<[string, AuditKeys]>([
  ["without a key", []],
  ["with a key", [key]],
])("a chain %s", (_, keys) => {
  const chain = chainOf(6, keys)
  const [, , third, fourth] = chain.entries

  it("is whole as it was written, also in pieces, and when it is empty", () => {
    expect(faultOf(chain, keys)).toBeUndefined()
    expect(faultOf(chainOf(0, keys), keys)).toBeUndefined()
    const check = new AuditCheck(chain.head, keys)
    for (const entry of chain.entries) expect(check.add([entry])).toBe(true)
    check.end()
    expect([check.checked, check.fault]).toEqual([6, undefined])
  })

  it.each<[string, Chain, string, number]>([
    ["an entry was removed", without(chain, 2), "missing", 3],
    ["the first one was removed", without(chain, 0), "missing", 1],
    ["the last one was removed", without(chain, 5), "truncated", 6],
    ["all were removed", { entries: [], head: chain.head }, "truncated", 1],
    ["an entry was altered", changed(chain, 2, { outcome: "failed" }), "altered", 3],
    ["a detail was added", changed(chain, 2, { details: { more: 1 } }), "altered", 3],
    ["another hash was written", changed(chain, 2, { hash: "0".repeat(64) }), "altered", 3],
    ["two swapped their places", changed(changed(chain, 2, fourth!), 3, third!), "missing", 3],
    ["two swapped all but their places", swapped(chain), "altered", 3],
    ["one is there twice", { head: chain.head, entries: chain.entries.toSpliced(3, 0, third!) }, "missing", 4],
    ["one moved to another tenant", changed(chain, 2, { tenant: "globex" }), "altered", 3],
    ["the head was altered", { ...chain, head: { ...chain.head, sequence: 5 } }, "head_altered", 5],
    [
      "the head was moved back",
      { ...chain, head: { ...chain.head, sequence: 5, hash: chain.entries[4]!.hash } },
      "head_altered",
      5,
    ],
    [
      "the head says that more was pruned",
      { entries: chain.entries.slice(2), head: { ...chain.head, removedThrough: 2 } },
      "head_altered",
      6,
    ],
  ])("is not whole when %s", (_what, tampered, kind, sequence) => {
    expect(faultOf(tampered, keys)).toEqual({ kind, sequence })
  })

  it("goes on behind what was pruned", () => {
    const head = removedHead(chain.head, third!, keys)
    expect(faultOf({ entries: chain.entries.slice(3), head }, keys)).toBeUndefined()
    expect(faultOf({ entries: chain.entries.slice(4), head }, keys)).toEqual({ kind: "missing", sequence: 4 })
  })

  it("shows by an anchor that everything was put back to an earlier state", () => {
    const { sequence, hash } = chain.head
    const earlier = chainOf(4, keys)
    expect(faultOf(earlier, keys)).toBeUndefined()
    expect(faultOf(earlier, keys, { sequence, hash })).toEqual({ kind: "truncated", sequence: 5 })
    expect(faultOf(chain, keys, { sequence, hash })).toBeUndefined()
    expect(faultOf(chain, keys, { sequence: 3, hash: third!.hash })).toBeUndefined()
    expect(faultOf(chain, keys, { sequence: 3, hash: firstHash })).toEqual({ kind: "anchor_differs", sequence: 3 })
  })
})

const swapped = (chain: Chain): Chain => {
  const [, , third, fourth] = chain.entries
  const placed = ({ sequence, previousHash, hash }: AuditEntry) => ({ sequence, previousHash, hash })
  return changed(changed(chain, 2, { ...fourth, ...placed(third!) }), 3, { ...third, ...placed(fourth!) })
}

describe("somebody who can write to the store", () => {
  it("can make another chain where there is no key, which only an anchor shows", () => {
    const chain = chainOf(6, [])
    const forged = linkEntries(emptyHead("acme", []), drafts(5), [])
    expect(faultOf(forged, [])).toBeUndefined()
    expect(faultOf(forged, [], chain.head)).toEqual({ kind: "truncated", sequence: 6 })
  })

  it("cannot where there is one, neither without a key nor with another", () => {
    expect(faultOf(chainOf(5, []), [key])).toEqual({ kind: "never_keyed", sequence: 5 })
    expect(faultOf(chainOf(5, [other]), [key])).toEqual({ kind: "key_unknown", sequence: 5 })
    const chain = chainOf(6, [key])
    const forged = linkEntries({ ...chain.head, sequence: 3, hash: chain.entries[2]!.hash }, drafts(3), [])
    const mixed = { entries: [...chain.entries.slice(0, 3), ...forged.entries], head: chain.head }
    expect(faultOf(mixed, [key])).toEqual({ kind: "not_keyed", sequence: 4 })
  })

  it("cannot call what they altered something that was made with another key, nor with none", () => {
    const chain = chainOf(4, [key])
    const renamed = changed(chain, 2, { key: "0".repeat(16), outcome: "failed" })
    expect(faultOf(renamed, [key])).toEqual({ kind: "key_unknown", sequence: 3 })
    const { key: _named, ...bare } = chain.entries[2]!
    const nameless = { ...chain, entries: chain.entries.toSpliced(2, 1, { ...bare, outcome: "failed" }) }
    expect(faultOf(nameless, [key])).toEqual({ kind: "altered", sequence: 3 })
    const unsealed = { ...chain, head: { ...chain.head, key: "0".repeat(16) } }
    expect(faultOf(unsealed, [key])).toEqual({ kind: "key_unknown", sequence: 4 })
  })

  it("cannot hide behind a prune that never was: an anchor says that it could not be checked, unless a key vouches for it", () => {
    const chain = chainOf(6, [])
    const anchor = { sequence: 2, hash: chain.entries[1]!.hash }
    const invented = { sequence: 3, hash: "ab".repeat(32) }
    const forged = linkEntries(
      removedHead({ ...chain.head, ...invented }, { ...chain.entries[2]!, ...invented }, []),
      drafts(3),
      [],
    )
    expect(faultOf(forged, [])).toBeUndefined()
    expect(faultOf(forged, [], anchor)).toEqual({ kind: "anchor_pruned", sequence: 2 })
    const keyed = chainOf(6, [key])
    const pruned = { entries: keyed.entries.slice(3), head: removedHead(keyed.head, keyed.entries[2]!, [key]) }
    expect(faultOf(pruned, [key], { sequence: 2, hash: keyed.entries[1]!.hash })).toBeUndefined()
    expect(faultOf(pruned, [key], { sequence: 3, hash: firstHash })).toEqual({ kind: "anchor_differs", sequence: 3 })
  })
})

describe("keys of a chain", () => {
  it("can be changed: the new one goes on where the old one ended, and both are believed", () => {
    const first = chainOf(3, [key])
    const second = linkEntries(first.head, drafts(2), [other, key])
    const chain = { entries: [...first.entries, ...second.entries], head: second.head }
    expect(faultOf(chain, [other, key])).toBeUndefined()
    expect(faultOf(chain, [other])).toEqual({ kind: "key_unknown", sequence: 1 })
    expect(faultOf(chain, [key])).toEqual({ kind: "key_unknown", sequence: 5 })
  })

  it("are believed of what was made before entries named them", () => {
    const chain = chainOf(3, [key])
    const nameless = ({ key: _named, hash: _hash, ...entry }: AuditEntry) => entry
    const hash = (entry: object, about: string) =>
      createHmac("sha256", key)
        .update(canonicalJson([`keyward audit ${about} 1`, entry]))
        .digest("hex")
    const first = { ...nameless(chain.entries[0]!), hash: hash(nameless(chain.entries[0]!), "entry") }
    const { key: _named, seal: _seal, ...bare } = { ...chain.head, sequence: 1, hash: first.hash }
    const head = { ...bare, seal: hash(bare, "head") }
    expect(faultOf({ entries: [first], head }, [other, key])).toBeUndefined()
    const more = linkEntries(head, drafts(2), [key])
    expect(faultOf({ entries: [first, ...more.entries], head: more.head }, [key])).toBeUndefined()
  })

  it("that one process lacks show where it wrote, also behind what was written with them since", () => {
    const first = chainOf(3, [key])
    const without = linkEntries(first.head, drafts(1), [])
    const entries = [...first.entries, ...without.entries]
    expect(faultOf({ entries, head: without.head }, [key])).toEqual({ kind: "not_keyed", sequence: 4 })
    const again = linkEntries(without.head, drafts(1), [key])
    expect(faultOf({ entries: [...entries, ...again.entries], head: again.head }, [key])).toEqual({
      kind: "not_keyed",
      sequence: 4,
    })
  })

  it("can come later: what was written without one is held by what was written with it", () => {
    const first = chainOf(3, [])
    const second = linkEntries(first.head, drafts(2), [key])
    const chain = { entries: [...first.entries, ...second.entries], head: second.head }
    expect(faultOf(chain, [key])).toBeUndefined()
    const forged = linkEntries(emptyHead("acme", []), [...drafts(2), auditDraft("acme", "forged")], [])
    expect(faultOf({ ...chain, entries: [...forged.entries, ...second.entries] }, [key])).toEqual({
      kind: "unlinked",
      sequence: 4,
    })
  })

  it("are 32 bytes or more, or base64 of them", () => {
    expect(readAuditKeys(undefined)).toEqual([])
    expect(readAuditKeys([randomBytes(32), randomBytes(48).toString("base64")])).toHaveLength(2)
    for (const material of ["short", randomBytes(31), [], [randomBytes(32), "short"]]) {
      expect(readAuditKeys(material)).toBeUndefined()
    }
  })
})

describe("the hash of an entry", () => {
  it("is SHA-256 over canonical JSON, so that anybody can check it", () => {
    const [{ hash, ...entry } = emptyEntry()] = chainOf(1, []).entries
    const fields = Object.keys(entry).sort()
    const text = `{${fields.map((name) => `${JSON.stringify(name)}:${JSON.stringify(entry[name as keyof typeof entry])}`).join(",")}}`
    expect(hash).toBe(createHash("sha256").update(`["keyward audit entry 1",${text}]`).digest("hex"))
  })

  it("does not depend on the order in which fields were written, and is another one for every other value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, another) => {
        const reordered = JSON.parse(JSON.stringify(one), (_, value: unknown) => reversed(value)) as unknown
        expect(canonicalJson(reordered)).toBe(canonicalJson(one))
        const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown
        const isSame = canonicalJson(one) === canonicalJson(another)
        expect(isSame).toBe(JSON.stringify(sorted(plain(one))) === JSON.stringify(sorted(plain(another))))
      }),
    )
  })
})

const emptyEntry = (): AuditEntry => {
  throw new Error("The chain is empty.")
}

const reversed = (value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).reverse())
    : value

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return ["list", ...value.map(sorted)]
  if (typeof value !== "object" || value === null) return value
  const fields = Object.entries(value).sort(([one], [another]) => (one < another ? -1 : 1))
  return ["object", ...fields.map(([name, inner]) => [name, sorted(inner)])]
}
