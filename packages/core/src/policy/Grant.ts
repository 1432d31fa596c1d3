/**
 * A grant: which account an agent may use, and for what. The second of an agent's two layers.
 *
 * Tied to the connection's incarnation and to the agent's, so that nothing that is made again under an old name inherits it.
 */
import * as Effect from "effect/Effect"
import { connectionAddress, type ConnectionKey, type ConnectionRef } from "../connection/ConnectionRef.ts"
import { compareKeys, compareTexts } from "../connection/listOrder.ts"
import { quote } from "../error/KeywardError.ts"
import { InvalidGrantError } from "./AccessError.ts"
import type { Access, AccessScope } from "./AccessScope.ts"

/** What a grant or a share is to cover, as a host writes it. */
export interface AccessScopeInput {
  /** `read`, `write` or both; neither includes the other. */
  readonly access: Access | ReadonlyArray<Access>
  /** Patterns over the names of tools, in which `*` stands for any characters. Default: every tool, and `connections.fetch`. */
  readonly tools?: ReadonlyArray<string> | undefined
  /** Epoch milliseconds at which it ends by itself. Default: it does not. */
  readonly expiresAt?: number | undefined
}

/** What a host grants to an agent. */
export interface GrantInput extends AccessScopeInput {
  readonly connection: ConnectionRef
}

/** A grant as hosts see it. */
export interface Grant extends AccessScope {
  /** The agent's id. */
  readonly agent: string
  /** The connection's address, as whoever granted it sees it. */
  readonly connection: string
  /** The user for whom alone it counts; `null`: whoever acts. */
  readonly subject: string | null
  /** The agent that handed it on; `null` where a host granted it. */
  readonly delegatedBy: string | null
  /** Epoch milliseconds. */
  readonly grantedAt: number
}

/**
 * Names one grant: whoever grants the same connection to the same agent again replaces what they granted before, and nobody else's. What
 * an agent hands on stands beside what its owner granted.
 */
export interface GrantKey {
  readonly tenant: string
  readonly agent: string
  /** The user who granted it, or in whose name an agent handed it on; `null` for the organisation. */
  readonly subject: string | null
  /** The id of the agent that handed it on; `null` where a host granted it. */
  readonly delegatedBy: string | null
  readonly connection: ConnectionKey
}

/** A grant as stores keep it. */
export interface GrantRecord extends GrantKey, AccessScope {
  /** See `AgentRecord.incarnation`. */
  readonly agentIncarnation: string
  /** See `ConnectionRow.incarnation`. */
  readonly connectionIncarnation: string
  /** How the connection was called when it was granted. */
  readonly grantedAs: ConnectionRef
  readonly grantedAt: number
}

/** The order in which stores list the grants to an agent. */
export const compareGrants = (one: GrantRecord, other: GrantRecord): number =>
  compareKeys(one.connection, other.connection) ||
  compareTexts(one.subject ?? "", other.subject ?? "") ||
  compareTexts(one.delegatedBy ?? "", other.delegatedBy ?? "")

/** What a host sees of a record. */
export const toGrant = (record: GrantRecord): Grant => ({
  agent: record.agent,
  connection: connectionAddress(record.grantedAs),
  subject: record.subject,
  access: [...record.access],
  tools: record.tools && [...record.tools],
  expiresAt: record.expiresAt,
  delegatedBy: record.delegatedBy,
  grantedAt: record.grantedAt,
})

/** Checks what a host wrote. */
export const checkScope = (input: AccessScopeInput): Effect.Effect<AccessScope, InvalidGrantError> => {
  // Hosts hand this through from outside.
  const { access, tools = null, expiresAt = null } = (input ?? {}) as Partial<AccessScopeInput>
  const given = (typeof access === "string" ? [access] : access) as unknown
  if (!Array.isArray(given) || given.length === 0 || !given.every((one) => one === "read" || one === "write")) {
    return invalid("access", 'must be "read", "write" or a list of them.')
  }
  if (tools !== null) {
    if (!Array.isArray(tools) || tools.length === 0 || tools.length > mostPatterns) {
      return invalid("tools", `must be a list of 1 to ${mostPatterns} patterns; leave it out for every tool.`)
    }
    const wrong = tools.find(
      (pattern) =>
        typeof pattern !== "string" || pattern === "" || pattern.length > longestPattern || !pattern.isWellFormed(),
    )
    if (wrong !== undefined) {
      return invalid("tools", `${quote(wrong)} must be 1 to ${longestPattern} characters of well-formed text.`)
    }
  }
  if (expiresAt !== null && !(Number.isSafeInteger(expiresAt) && expiresAt > 0)) {
    return invalid("expiresAt", "must be a whole number of milliseconds since 1970.")
  }
  return Effect.succeed({
    access: (["read", "write"] as const).filter((one) => given.includes(one)),
    tools: tools === null ? null : [...new Set<string>(tools)].sort(),
    expiresAt,
  })
}

const mostPatterns = 100
const longestPattern = 512

const invalid = (field: string, fault: string): Effect.Effect<never, InvalidGrantError> =>
  Effect.fail(new InvalidGrantError({ field, fault }))
