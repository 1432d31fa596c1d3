/**
 * Agents, grants and shares as the store contract writes and reads them.
 */
import type * as Effect from "effect/Effect"
import type { ConnectionKey } from "../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { Store } from "../integration/Store.ts"
import type { AccessStore, Caller } from "../policy/AccessStore.ts"
import type { AgentRecord, AgentReference } from "../policy/Agent.ts"
import type { GrantRecord } from "../policy/Grant.ts"
import type { ShareRecipient, ShareRecord } from "../policy/Share.ts"
import { succeeding } from "./ContractCase.ts"

/** An access store whose calls have to succeed, and soon. */
export type AccessProbe = {
  readonly [Method in keyof AccessStore]: (
    ...input: Parameters<AccessStore[Method]>
  ) => Promise<Effect.Success<ReturnType<AccessStore[Method]>>>
}

/** See {@link AccessProbe}. */
export const accessOf = ({ access }: Store): AccessProbe =>
  new Proxy(access, {
    get:
      (target, method) =>
      (...input: ReadonlyArray<unknown>) => {
        const call = Reflect.get(target, method) as (
          ...input: ReadonlyArray<unknown>
        ) => Effect.Effect<unknown, unknown>
        return succeeding(Reflect.apply(call, target, input), `access.${String(method)}`)
      },
  }) as unknown as AccessProbe

/** Every call of an access store, by name. */
export const accessCalls = ({
  access,
}: Store): ReadonlyArray<readonly [string, Effect.Effect<unknown, StoreUnavailableError>]> => {
  const agent = agentRecord("tenant", "agent")
  const connection = connectionKey("tenant", "", "integration", "name")
  const share = shareRecord({ subject: "subject" }, connection, "as")
  return [
    ["access.ofCaller", access.ofCaller(acting("tenant", "subject", "agent"))],
    ["access.getAgent", access.getAgent("tenant", "agent")],
    ["access.putAgent", access.putAgent(agent, 0)],
    ["access.removeAgent", access.removeAgent("tenant", "agent")],
    ["access.listAgents", access.listAgents({ tenant: "tenant", limit: 1 })],
    ["access.putGrant", access.putGrant(grantRecord(agent, connection, null))],
    ["access.removeGrant", access.removeGrant(grantRecord(agent, connection, null))],
    ["access.listGrants", access.listGrants("tenant", "agent")],
    ["access.listGrantsOf", access.listGrantsOf(connection)],
    ["access.putShare", access.putShare(share)],
    ["access.removeShare", access.removeShare(share)],
    ["access.listShares", access.listShares(connection, { limit: 1 })],
    ["access.forgetConnection", access.forgetConnection(connection)],
  ]
}

/** Who asks. */
export const acting = (tenant: string, subject: string | null, agent: string | null): Caller => ({
  tenant,
  subject,
  agent,
})

/** An agent at version 1. */
export const agentRecord = (tenant: string, id: string, changes: Partial<AgentRecord> = {}): AgentRecord => ({
  tenant,
  id,
  incarnation: `incarnation of ${id}`,
  name: null,
  description: null,
  lineage: [],
  integrations: [],
  keys: [],
  createdAt: 0,
  version: 1,
  ...changes,
})

/** An agent as those below it name it. */
export const referenceOf = ({ id, incarnation }: AgentRecord): AgentReference => ({ id, incarnation })

/** A connection's key; `subject: ""` makes it the organisation's. */
export const connectionKey = (tenant: string, subject: string, integration: string, name: string): ConnectionKey => ({
  tenant,
  subject,
  owner: subject === "" ? "org" : "user",
  integration,
  name,
})

/** A grant for reading, by a user or by the organisation. */
export const grantRecord = (agent: AgentRecord, connection: ConnectionKey, subject: string | null): GrantRecord => ({
  tenant: agent.tenant,
  agent: agent.id,
  agentIncarnation: agent.incarnation,
  subject,
  connection,
  connectionIncarnation: "incarnation",
  grantedAs: { owner: connection.owner, integration: connection.integration, name: connection.name },
  delegatedBy: null,
  grantedAt: 0,
  access: ["read"],
  tools: null,
  expiresAt: null,
})

/** A share for reading. */
export const shareRecord = (recipient: ShareRecipient, connection: ConnectionKey, as: string): ShareRecord => ({
  tenant: connection.tenant,
  with: recipient,
  connection,
  as,
  agentIncarnation: recipient.agent === undefined ? null : `incarnation of ${recipient.agent}`,
  connectionIncarnation: "incarnation",
  sharedAt: 0,
  access: ["read"],
  tools: null,
  expiresAt: null,
})
