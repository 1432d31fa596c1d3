/**
 * The hash chain of an audit trail, as pure functions: entries that name the hash of the one before, and a head that names the last.
 *
 * SHA-256 over canonical JSON (RFC 8785: keys in the order of code units, no space), so that anybody can check a chain; HMAC with SHA-256
 * where the host has a key, so that whoever can write to the store cannot make another one. What was made with a key names it, so that a
 * check can tell a key that the host does not pass from an entry that was altered.
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
  const [key] = keys
  const named = nameOf(key)
  const entries = drafts.map((draft): AuditEntry => {
    sequence += 1
    const placed = { ...draft, sequence, previousHash: hash, ...named }
    hash = entryHash(placed, key)
    return { ...placed, hash }
  })
  return { entries, head: sealHead({ ...head, sequence, hash }, keys) }
}

/** The head after entries up to one of them were removed as old. */
export const removedHead = (
  head: AuditHead,
  { sequence, hash }: Pick<AuditEntry, "sequence" | "hash">,
  keys: AuditKeys,
): AuditHead => sealHead({ ...head, removedThrough: sequence, removedHash: hash }, keys)

/**
 * With which of the keys something was made: `plain` without one, `unknown` with one that is not among them, so that nothing can be said of
 * it; `undefined` when it is not what was made.
 */
export type MadeWith = KeyObject | "plain" | "unknown" | undefined

/** With which of the keys an entry's hash was made. */
export const hashedWith = ({ hash, ...placed }: AuditEntry, keys: AuditKeys): MadeWith =>
  madeWith(placed, keys, (key) => isEqual(hash, entryHash(placed, key)))

/** The same for a head. */
export const sealedWith = ({ seal, ...head }: AuditHead, keys: AuditKeys): MadeWith =>
  madeWith(head, keys, (key) => isEqual(seal, headSeal(head, key)))

const madeWith = (
  made: { readonly key?: unknown },
  keys: AuditKeys,
  isOf: (key: KeyObject | undefined) => boolean,
): MadeWith => {
  // What was made before keys had names may be of any.
  if (made.key === undefined) return [...keys, "plain" as const].find((key) => isOf(key === "plain" ? undefined : key))
  const key = keys.find((known) => nameOf(known).key === made.key)
  if (key === undefined) return "unknown"
  return isOf(key) ? key : undefined
}

/** What a key is called, which says nothing of it. */
const nameOf = (key: KeyObject | undefined): { readonly key?: string } => {
  if (key === undefined) return {}
  const known = names.get(key)
  if (known !== undefined) return known
  const named = { key: digest("keyward audit key 1", key).slice(0, 16) }
  names.set(key, named)
  return named
}

const names = new WeakMap<KeyObject, { readonly key: string }>()

/** JSON of plain data with sorted keys, as in RFC 8785. */
export const canonicalJson = (value: unknown): string =>
  JSON.stringify(value, (_, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([one], [other]) => (one < other ? -1 : 1)))
      : item,
  )

const sealHead = ({ tenant, ...head }: Omit<AuditHead, "seal">, keys: AuditKeys): AuditHead => {
  const { sequence, hash, removedThrough, removedHash } = head
  const bare = { tenant, sequence, hash, removedThrough, removedHash, ...nameOf(keys[0]) }
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
