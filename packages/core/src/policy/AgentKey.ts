/**
 * The key that an agent shows: `kwa_<agent id>_<256 random bits>`, shown once and kept as a hash.
 *
 * One round of SHA-256 is enough for a secret of full entropy: there is nothing to guess that a slow hash would protect.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import { agentKeyPrefix, type AgentKeyRecord, type AgentRecord } from "./Agent.ts"

/** A new key: the text to hand out, and what is kept of it. */
export interface NewAgentKey {
  readonly key: string
  readonly hash: string
}

/** Makes a key for an agent. */
export const newAgentKey = (id: string): NewAgentKey => {
  const key = `${agentKeyPrefix}${id}_${randomBytes(32).toString("base64url")}`
  return { key, hash: hashAgentKey(key) }
}

/** Whether a text is to be read as a key; no agent's id is. */
export const isAgentKey = (text: string): boolean => text.startsWith(agentKeyPrefix)

/** The id of the agent that a key says it is of; `undefined` for what cannot be a key. */
export const agentOfKey = (key: string): string | undefined => keyForm.exec(key)?.[1]

/** What is kept of a key. */
export const hashAgentKey = (key: string): string => createHash("sha256").update(key).digest("base64url")

/** Whether a key of this hash is one of the agent's, in force or within its grace. Takes as long for a wrong one. */
export const isKeyOf = ({ keys }: Pick<AgentRecord, "keys">, hash: string, now: number): boolean => {
  const given = Buffer.from(hash)
  let isOne = false
  for (const key of keys) {
    const kept = Buffer.from(key.hash)
    const isSame = kept.length === given.length && timingSafeEqual(kept, given)
    isOne ||= isSame && isInForce(key, now)
  }
  return isOne
}

/** The keys of an agent after it got another one: those before are valid for `graceMs` more, and no longer than they were. */
export const keysAfter = (
  keys: ReadonlyArray<AgentKeyRecord>,
  hash: string | undefined,
  now: number,
  graceMs: number,
): ReadonlyArray<AgentKeyRecord> => [
  ...(hash === undefined ? [] : [{ hash, expiresAt: null }]),
  ...keys
    .map((key) => ({ ...key, expiresAt: Math.min(key.expiresAt ?? Infinity, now + graceMs) }))
    .filter((key) => isInForce(key, now)),
]

const isInForce = ({ expiresAt }: AgentKeyRecord, now: number): boolean => expiresAt === null || expiresAt > now

const keyForm = new RegExp(`^${agentKeyPrefix}(.{1,256})_[\\w-]{43}$`, "su")
