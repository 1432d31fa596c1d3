/**
 * Whether a chain is whole: fed with the entries of a tenant in the order in which the store has them, says where the first fault is.
 *
 * What it cannot find: that the store as a whole was put back to an earlier state, unless it is given an anchor; and without a key, that
 * somebody rewrote everything from one entry to the head.
 */
import { type AuditKeys, hashedWith, type MadeWith, sealedWith } from "./auditChain.ts"
import type { AuditEntry, AuditHead } from "./AuditEntry.ts"

/** A place in a chain that somebody wrote down elsewhere, such as the `head` of an earlier check. */
export interface AuditAnchor {
  readonly sequence: number
  readonly hash: string
}

/**
 * What is wrong with an entry, or with the head: `altered` is not what was written; `missing` is not there, or not in its place;
 * `unlinked` does not follow from the one before; `truncated`: the head or the anchor knows of later entries; `head_altered`,
 * `head_missing`: the head is not what was written; `not_keyed`: the host has a key, and this was made without it, behind what was made
 * with it; `never_keyed`: the host has a key, and nothing in the chain was made with it; `key_unknown`: made with a key that was not
 * passed; `anchor_differs`: not the entry that the anchor was written down for; `anchor_pruned`: that entry is said to be removed as
 * old, and there is no key that vouches for it.
 */
export type AuditFaultKind =
  | "altered"
  | "missing"
  | "unlinked"
  | "truncated"
  | "head_altered"
  | "head_missing"
  | "not_keyed"
  | "never_keyed"
  | "key_unknown"
  | "anchor_differs"
  | "anchor_pruned"

/** The first fault of a chain. */
export interface AuditFault {
  readonly kind: AuditFaultKind
  /** Of the entry at fault. */
  readonly sequence: number
}

/** See the file's header. */
export class AuditCheck {
  readonly #head: AuditHead
  readonly #keys: AuditKeys
  readonly #anchor: AuditAnchor | undefined
  #sequence: number
  #hash: string
  readonly #sealed: MadeWith
  #isKeyed = false
  #isAnchorChecked = false
  #checked = 0
  #fault: AuditFault | undefined

  constructor(head: AuditHead, keys: AuditKeys, anchor?: AuditAnchor) {
    this.#head = head
    this.#keys = keys
    this.#anchor = anchor
    this.#sequence = head.removedThrough
    this.#hash = head.removedHash
    this.#sealed = sealedWith(head, keys)
    if (this.#sealed === undefined) this.#fail("head_altered", head.sequence)
    else if (this.#sealed === "unknown") this.#fail("key_unknown", head.sequence)
    else this.#hold({ sequence: head.removedThrough, hash: head.removedHash })
  }

  /** How many entries were found to be in order. */
  get checked(): number {
    return this.#checked
  }

  get fault(): AuditFault | undefined {
    return this.#fault
  }

  /** Whether the head was made with a key of the host. */
  get isSealed(): boolean {
    return this.#sealed !== undefined && this.#sealed !== "unknown" && this.#sealed !== "plain"
  }

  /** Whether the anchor's place in the chain was seen. */
  get isAnchorChecked(): boolean {
    return this.#isAnchorChecked
  }

  /** Goes on with the entries that follow; answers whether there is no fault yet. */
  add(entries: ReadonlyArray<AuditEntry>): boolean {
    for (const entry of entries) {
      if (this.#fault !== undefined) return false
      this.#addOne(entry)
    }
    return this.#fault === undefined
  }

  /** To be called when no more are to be checked, though there may be some. */
  stop(): void {
    if (this.#fault !== undefined || this.#keys.length === 0 || this.isSealed) return
    this.#fail(this.#isKeyed ? "not_keyed" : "never_keyed", this.#head.sequence)
  }

  /** To be called when there are no more. */
  end(): void {
    this.stop()
    if (this.#fault !== undefined) return
    if (this.#sequence < this.#head.sequence) this.#fail("truncated", this.#sequence + 1)
    else if (this.#hash !== this.#head.hash) this.#fail("head_altered", this.#head.sequence)
    else if (this.#anchor !== undefined && this.#anchor.sequence > this.#head.sequence) {
      this.#fail("truncated", this.#head.sequence + 1)
    } else if (this.#anchor !== undefined && this.#anchor.sequence < this.#head.removedThrough && !this.isSealed) {
      // Whoever can write to the store can say so too.
      this.#fail("anchor_pruned", this.#anchor.sequence)
    }
  }

  /** Takes note of a fault that shows elsewhere; the first one counts. */
  refuse(kind: AuditFaultKind, sequence: number): void {
    if (this.#fault === undefined) this.#fail(kind, sequence)
  }

  #addOne(entry: AuditEntry): void {
    const expected = this.#sequence + 1
    if (entry.sequence !== expected) return this.#fail("missing", expected)
    const key = hashedWith(entry, this.#keys)
    if (key === undefined) return this.#fail("altered", expected)
    if (key === "unknown") return this.#fail("key_unknown", expected)
    if (entry.tenant !== this.#head.tenant) return this.#fail("altered", expected)
    if (entry.previousHash !== this.#hash) return this.#fail("unlinked", expected)
    // Entries from before the host had a key are held by the first one with it.
    if (key === "plain" && this.#isKeyed) return this.#fail("not_keyed", expected)
    this.#isKeyed ||= key !== "plain"
    this.#sequence = expected
    this.#hash = entry.hash
    this.#checked += 1
    this.#hold(entry)
  }

  #hold({ sequence, hash }: AuditAnchor): void {
    if (this.#anchor?.sequence !== sequence) return
    this.#isAnchorChecked = true
    if (this.#anchor.hash !== hash) this.#fail("anchor_differs", sequence)
  }

  #fail(kind: AuditFaultKind, sequence: number): void {
    this.#fault = { kind, sequence }
  }
}
