/**
 * The hash chain of an audit trail, as pure functions: entries that name the hash of the one before, and a head that names the last.
 *
 * SHA-256 over canonical JSON (RFC 8785: keys in the order of code units, no space), so that anybody can check a chain; HMAC with SHA-256
 * where the host has a key, so that whoever can write to the store cannot make another one.
 */
import { createHash, createHmac, type KeyObject, timingSafeEqual } from "node:crypto"
import { readHostKeys } from "../identity/readHostKeys.ts"
import type { AuditDraft, AuditEntry, AuditHead } from "./AuditEntry.ts"

/** Keys of a chain, the one that new entries are made with first; none: plain hashes. */
export type AuditKeys = ReadonlyArray<KeyObject>

/** 32 bytes or more, or base64 of them. */
export type AuditKeyMaterial = string | Uint8Array

/** What the first entry of a chain names as the hash before it. */
export const firstHash = "0".repeat(64)

/** Reads what a host passed as key or keys; `undefined` where it is not that. */
export const readAuditKeys = (
  material: AuditKeyMaterial | ReadonlyArray<AuditKeyMaterial> | undefined,
): AuditKeys | undefined => (material === undefined ? [] : readHostKeys(material))

/** The head of a chain that has no entry yet. */
export const emptyHead = (tenant: string, keys: AuditKeys): AuditHead =>
  sealHead({ tenant, sequence: 0, hash: firstHash, removedThrough: 0, removedHash: firstHash }, keys)

/** Puts drafts behind a head; answers the entries and the head that they lead to. */
export const linkEntries = (
  head: AuditHead,
  drafts: ReadonlyArray<AuditDraft>,
  keys: AuditKeys,
): { readonly entries: ReadonlyArray<AuditEntry>; readonly head: AuditHead } => {
  let { sequence, hash } = head
  const entries = drafts.map((draft): AuditEntry => {
    sequence += 1
    const placed = { ...draft, sequence, previousHash: hash }
    hash = entryHash(placed, keys[0])
    return { ...placed, hash }
  })
  return { entries, head: sealHead({ ...head, sequence, hash }, keys) }
}

/** The head after entries up to one of them were removed as old. */
export const removedHead = (head: AuditHead, { sequence, hash }: AuditEntry, keys: AuditKeys): AuditHead =>
  sealHead({ ...head, removedThrough: sequence, removedHash: hash }, keys)

/** With which of the keys an entry's hash was made, `"plain"` without one; `undefined` when it is not the hash of the entry. */
export const hashedWith = ({ hash, ...placed }: AuditEntry, keys: AuditKeys): KeyObject | "plain" | undefined =>
  [...keys, "plain" as const].find((key) => isEqual(hash, entryHash(placed, key === "plain" ? undefined : key)))

/** The same for a head. */
export const sealedWith = ({ seal, ...head }: AuditHead, keys: AuditKeys): KeyObject | "plain" | undefined =>
  [...keys, "plain" as const].find((key) => isEqual(seal, headSeal(head, key === "plain" ? undefined : key)))

/** JSON of plain data with sorted keys, as in RFC 8785. */
export const canonicalJson = (value: unknown): string =>
  JSON.stringify(value, (_, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([one], [other]) => (one < other ? -1 : 1)))
      : item,
  )

const sealHead = ({ tenant, ...head }: Omit<AuditHead, "seal">, keys: AuditKeys): AuditHead => {
  const { sequence, hash, removedThrough, removedHash } = head
  const bare = { tenant, sequence, hash, removedThrough, removedHash }
  return { ...bare, seal: headSeal(bare, keys[0]) }
}

const entryHash = (entry: Omit<AuditEntry, "hash">, key: KeyObject | undefined): string =>
  digest(canonicalJson(["keyward audit entry 1", entry]), key)

const headSeal = (head: Omit<AuditHead, "seal">, key: KeyObject | undefined): string =>
  digest(canonicalJson(["keyward audit head 1", head]), key)

const digest = (text: string, key: KeyObject | undefined): string =>
  (key === undefined ? createHash("sha256") : createHmac("sha256", key)).update(text).digest("hex")

/** What is found may be anything that somebody wrote. */
const isEqual = (found: unknown, expected: string): boolean => {
  const [one, other] = [Buffer.from(typeof found === "string" ? found : ""), Buffer.from(expected)]
  return one.length === other.length && timingSafeEqual(one, other)
}
