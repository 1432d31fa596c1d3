/**
 * An agent: a caller with an id of its own, which may use only what it was granted.
 *
 * The first layer of that is here: the integrations whose tools it has. The second, which accounts, is in `Grant.ts`. A sub-agent has
 * a parent, fixed when it is made, and never more rights than every agent above it.
 */
import * as Effect from "effect/Effect"
import { quote } from "../error/KeywardError.ts"
import { InvalidAgentError } from "./AccessError.ts"

/** Which integrations' tools an agent has: all that the tenant has and will have, or those of these slugs. */
export type AllowedIntegrations = "all" | ReadonlyArray<string>

/** An agent as hosts see it. */
export interface Agent {
  readonly id: string
  readonly name: string | null
  readonly description: string | null
  /** The id of the agent that it is a sub-agent of. */
  readonly parent: string | null
  readonly integrations: AllowedIntegrations
  /** Whether there is a key that it can show. */
  readonly hasKey: boolean
  /** Epoch milliseconds. */
  readonly createdAt: number
}

/** What a host says about a new agent; everything is optional. */
export interface CreateAgentInput {
  /** 1 to 128 letters, digits, `_`, `-`, `.` and `:`, beginning with a letter or digit. Default: a random one. */
  readonly id?: string | undefined
  readonly name?: string | undefined
  readonly description?: string | undefined
  /** The id of the agent that it is to be a sub-agent of. */
  readonly parent?: string | undefined
  /** Default: none. */
  readonly integrations?: AllowedIntegrations | undefined
  /** Whether to make a key, which is answered once. Default: no; `rotateKey` makes one later. */
  readonly key?: boolean | undefined
}

/** A new agent, with its key where one was asked for. */
export interface CreatedAgent extends Agent {
  /** Shown this once and kept only as a hash: hand it to the agent now. */
  readonly key?: string
}

/** An agent with its new key. */
export interface KeyedAgent extends Agent {
  /** As {@link CreatedAgent.key}. */
  readonly key: string
}

/** An agent and which incarnation of it: an agent that is removed and made again under its id is another one. */
export interface AgentReference {
  readonly id: string
  /** See {@link AgentRecord.incarnation}. */
  readonly incarnation: string
}

/** A key as it is kept. */
export interface AgentKeyRecord {
  /** SHA-256, base64url. */
  readonly hash: string
  /** Epoch milliseconds until which a replaced key is still valid; `null` for the one in force. */
  readonly expiresAt: number | null
}

/** An agent as stores keep it. */
export interface AgentRecord extends AgentReference {
  readonly tenant: string
  /** Random; what grants, shares and sub-agents are tied to, so that none of them outlives the agent. */
  readonly incarnation: string
  readonly name: string | null
  readonly description: string | null
  /** The agents above it, its parent first. Never changes. */
  readonly lineage: ReadonlyArray<AgentReference>
  readonly integrations: AllowedIntegrations
  readonly keys: ReadonlyArray<AgentKeyRecord>
  readonly createdAt: number
  /** Grows with each write; what compare-and-set compares. Starts at 1. */
  readonly version: number
}

/** What a host sees of a record. */
export const toAgent = (record: AgentRecord, now: number): Agent => ({
  id: record.id,
  name: record.name,
  description: record.description,
  parent: record.lineage[0]?.id ?? null,
  integrations: record.integrations === "all" ? "all" : [...record.integrations],
  hasKey: record.keys.some(({ expiresAt }) => expiresAt === null || expiresAt > now),
  createdAt: record.createdAt,
})

/** How many agents may stand above one another. */
export const deepestLineage = 8

/** Checks an id that a host chose. */
export const checkAgentId = (id: string): Effect.Effect<string, InvalidAgentError> =>
  typeof id === "string" && idForm.test(id) && !id.startsWith(agentKeyPrefix)
    ? Effect.succeed(id)
    : invalid(
        "id",
        `${quote(id)} must be 1 to 128 letters, digits, "_", "-", "." and ":", beginning with a letter or digit, and not with "${agentKeyPrefix}".`,
      )

/** Checks the allowed integrations, drops what is said twice and sorts the rest. They need not be registered yet. */
export const checkIntegrations = (
  integrations: AllowedIntegrations,
): Effect.Effect<AllowedIntegrations, InvalidAgentError> => {
  if (integrations === "all") return Effect.succeed(integrations)
  // Hosts hand this through from outside.
  const given: unknown = integrations
  if (!Array.isArray(given) || !given.every((slug) => typeof slug === "string" && slug !== "" && slug.length <= 128)) {
    return invalid("integrations", 'must be "all" or a list of integration slugs.')
  }
  return Effect.succeed([...new Set(given as ReadonlyArray<string>)].sort())
}

/** Whether an agent has the tools of an integration. */
export const isAllowed = ({ integrations }: Pick<Agent, "integrations">, slug: string): boolean =>
  integrations === "all" || integrations.includes(slug)

/** The first integration of a sub-agent that its parent does not have; `"all"` for all of them. */
export const excessIntegration = (parent: AllowedIntegrations, wanted: AllowedIntegrations): string | undefined => {
  if (parent === "all") return undefined
  return wanted === "all" ? "all" : wanted.find((slug) => !parent.includes(slug))
}

/** What every agent's key begins with, for scanners of leaked secrets and for `asAgent`. */
export const agentKeyPrefix = "kwa_"

const idForm = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}_.:-]{0,127}$/u

const invalid = (field: string, fault: string): Effect.Effect<never, InvalidAgentError> =>
  Effect.fail(new InvalidAgentError({ field, fault }))
