/**
 * The host's keys for approvals: they hash what an approval holds for, and sign the record of it.
 *
 * So a store tells nobody which arguments were approved, and whoever can write to it cannot approve anything. HMAC with SHA-256; the first
 * key signs, every key verifies, so that keys can be changed while approvals are under way.
 */
import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from "node:crypto"
import { readHostKeys } from "../identity/readHostKeys.ts"
import type { ApprovalRecord } from "./Approval.ts"

/** Keys, the one that signs first. */
export type ApprovalKeys = readonly [KeyObject, ...ReadonlyArray<KeyObject>]

/** 32 bytes or more, or base64 of them. */
export type ApprovalKeyMaterial = string | Uint8Array

/** Reads what a host passed as key or keys; `undefined` where it is not that. */
export const readApprovalKeys: (
  material: ApprovalKeyMaterial | ReadonlyArray<ApprovalKeyMaterial>,
) => ApprovalKeys | undefined = readHostKeys

/** A key for the life of this process. */
export const processApprovalKeys = (): ApprovalKeys => [createSecretKey(randomBytes(32))]

/** Hashes what an approval holds for; the same parts and key give the same text. */
export const approvalKey = (key: KeyObject, use: "arguments" | "conversation", parts: ReadonlyArray<string>): string =>
  createHmac("sha256", key)
    .update(JSON.stringify(["keyward approval key 1", use, ...parts]))
    .digest("base64url")

/** Signs a record. */
export const signApproval = (keys: ApprovalKeys, record: Omit<ApprovalRecord, "signature">): ApprovalRecord => ({
  ...record,
  signature: signatureOf(keys[0], record),
})

/** Whether a record is as one of the keys signed it. */
export const isSigned = (keys: ApprovalKeys, record: ApprovalRecord): boolean =>
  keys.some((key) => {
    const expected = Buffer.from(signatureOf(key, record))
    const found = Buffer.from(record.signature)
    return expected.length === found.length && timingSafeEqual(expected, found)
  })

const signatureOf = (key: KeyObject, record: Omit<ApprovalRecord, "signature">): string =>
  createHmac("sha256", key)
    .update(JSON.stringify(["keyward approval 1", ...signed.map((name) => record[name])]))
    .digest("base64url")

/** Everything; a new field joins at the end and raises the number above. */
const signed = [
  "tenant",
  "id",
  "subject",
  "status",
  "what",
  "tool",
  "integration",
  "owner",
  "connection",
  "account",
  "arguments",
  "agent",
  "conversation",
  "remember",
  "createdAt",
  "expiresAt",
  "answeredAt",
  "answeredBy",
  "key",
  "conversationKey",
  "version",
] as const satisfies ReadonlyArray<keyof ApprovalRecord>
