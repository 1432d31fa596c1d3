/**
 * What is kept of a flow until somebody finishes it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import { compiledIntegration } from "../../integration/Integration.ts"
import type { OAuthSessionRecord, PinnedServer } from "../../oauth/OAuthSession.ts"
import type { WrappedSessionSecrets } from "../../oauth/sealedSession.ts"
import type { Resources } from "../Resources.ts"
import { isSameIssuer, pinnedServer } from "./clientServer.ts"
import { announceFlow, startFailure } from "./OAuthFlow.ts"
import type { StartingFlow, StartOAuthError } from "./StartingFlow.ts"

/** What a flow's record says besides what the flow itself does. */
export interface NewSession {
  readonly state: Redacted.Redacted
  readonly stateHash: string
  readonly secrets: WrappedSessionSecrets
  readonly redirectUri: string | null
  /** Epoch milliseconds. */
  readonly expiresAt: number
  readonly device: OAuthSessionRecord["device"]
}

/** Stores a flow with its secrets sealed, tells the host that it has begun, and answers with the state to finish it with. */
export const keepSession = (
  resources: Resources,
  flow: StartingFlow,
  { state, stateHash, secrets, redirectUri, expiresAt, device }: NewSession,
): Effect.Effect<string, StartOAuthError> =>
  Effect.gen(function* () {
    const { key, identity, client, template, input } = flow
    const { record } = client
    const session: OAuthSessionRecord = {
      tenant: key.tenant,
      stateHash,
      startedBy: identity.subject,
      grant: record.grant,
      client: record.slug,
      clientOwner: record.owner,
      clientId: record.clientId,
      owner: key.owner,
      integration: key.integration,
      name: key.name,
      template: template.slug,
      identityLabel: input.identityLabel,
      confirmedOrigins: compiledIntegration(flow.integration).origins,
      redirectUri,
      server: yield* heldServer(resources, flow),
      resource: flow.resource,
      requestedScope: flow.scope,
      stepUps: flow.stepUps,
      sealed: yield* flow.protocol.sealSecrets(state, secrets),
      createdAt: yield* Clock.currentTimeMillis,
      expiresAt,
      device,
      version: 1,
    }
    if (!(yield* resources.store.oauth.sessions.put(session, 0))) {
      return yield* startFailure("state_taken", "the state is in use already; start again.", true)
    }
    announceFlow(resources, identity, key, record, { type: "oauth.started" })
    return Redacted.value(state)
  })

/** The server as it is now, held to what it announced when the connection that is there was made: it must not become less safe. */
const heldServer = (
  resources: Resources,
  { server, tokenUrl, key }: StartingFlow,
): Effect.Effect<PinnedServer, StoreUnavailableError> => {
  const pinned = pinnedServer(server, tokenUrl)
  if (pinned.isIssRequired || pinned.issuer === null) return Effect.succeed(pinned)
  return Effect.map(resources.store.connections.get(key), (row) => {
    const grant = row?.grant ?? null
    const isHeld = grant?.isIssRequired === true && isSameIssuer(grant.issuer, pinned.issuer)
    return isHeld ? { ...pinned, isIssRequired: true } : pinned
  })
}
