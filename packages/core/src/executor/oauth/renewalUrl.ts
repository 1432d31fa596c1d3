/**
 * Where a person goes when a connection needs one: a flow for the same connection, begun for whoever made the call.
 *
 * Offered with failures that only a person can mend. The connection stays usable as it is in the meantime.
 */
import * as Effect from "effect/Effect"
import { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import type { ConnectionGrant } from "../../connection/ConnectionGrant.ts"
import { scopeSet, scopeUnion } from "../../oauth/TokenSet.ts"
import type { ToolResult } from "../../tool/ToolResult.ts"
import type { Resources } from "../Resources.ts"
import type { GrantedConnection } from "./GrantedConnection.ts"
import { offeredFlowUrl } from "./offeredFlow.ts"
import type { WiderScope } from "./StartingFlow.ts"
import { hasMoved, resourceOfTemplate } from "./templateServer.ts"
import { refreshLeaseKey } from "./tokenItems.ts"

/** A wider scope that was asked for so often and still does not do is not asked for again. */
const mostStepUps = 3

/** Adds the way on to a failed result that needs a person. */
export const resultWithWayOn = (
  resources: Resources,
  selected: GrantedConnection,
  result: ToolResult,
): Effect.Effect<ToolResult> => {
  if (result.ok) return Effect.succeed(result)
  const details = result.error.details as Readonly<Record<string, unknown>> | undefined
  if (details?.["category"] !== "authentication" || details["authRequired"] !== true) return Effect.succeed(result)
  const scope = typeof details["scope"] === "string" ? details["scope"] : undefined
  return Effect.map(renewalUrl(resources, selected, result.error.code, scope), (authorizeUrl) =>
    authorizeUrl === undefined
      ? result
      : { ok: false, error: { ...result.error, details: { ...details, authorizeUrl } } },
  )
}

/** Adds the way on to an error that needs a person. */
export const errorWithWayOn = (
  resources: Resources,
  selected: GrantedConnection,
  error: ConnectionCredentialError,
): Effect.Effect<ConnectionCredentialError> =>
  error.authRequired
    ? Effect.map(renewalUrl(resources, selected, error.code, error.scope), (authorizeUrl) => {
        if (authorizeUrl === undefined) return error
        const { code, connection, reason, nextStep, retryable, authRequired, scope } = error
        return new ConnectionCredentialError({
          code,
          connection,
          reason,
          nextStep,
          retryable,
          authRequired,
          authorizeUrl,
          ...(scope === undefined ? {} : { scope }),
        })
      })
    : Effect.succeed(error)

/** `undefined` where no flow can be started: another grant, no redirect URI, a client that is gone, a server that is down. */
const renewalUrl = (
  resources: Resources,
  selected: GrantedConnection,
  code: string,
  scope: string | undefined,
): Effect.Effect<string | undefined> => {
  const { identity, row } = selected
  const { grant, oauthClient: client, owner, integration, name, template } = row
  if (grant.type !== "authorization_code" || client === null) return Effect.undefined
  const wider = code === "insufficient_scope" ? widerScope(grant, scope) : { scope: grant.requestedScope, stepUps: 0 }
  if (wider === undefined) return Effect.undefined
  const input = { owner, integration, name, template, client, clientOwner: row.oauthClientOwner ?? owner }
  const offered = offeredFlowUrl(resources, identity, input, wider, offerKey(selected, wider))
  // Tokens that were turned away may be of a server that the resource has left: another flow there would end the same.
  return code === "insufficient_scope"
    ? offered
    : Effect.flatMap(isAtFormerServer(resources, selected), (isFormer) => (isFormer ? Effect.undefined : offered))
}

const isAtFormerServer = (resources: Resources, { integration, row }: GrantedConnection): Effect.Effect<boolean> => {
  const template = integration.authTemplates.find(({ slug }) => slug === row.template)
  return template?.type !== "oauth2" || template.issuer === undefined
    ? Effect.succeed(false)
    : Effect.map(resourceOfTemplate(resources, template), (resource) => hasMoved(template, resource))
}

/** What was asked for before together with what is asked for now; `undefined` when that has been tried often enough. */
const widerScope = (grant: ConnectionGrant, scope: string | undefined): WiderScope | undefined => {
  const before = scopeSet(grant.requestedScope)
  const isWider = [...scopeSet(scope)].some((one) => !before.has(one))
  const stepUps = isWider ? 1 : grant.stepUps + 1
  return stepUps > mostStepUps ? undefined : { scope: scopeUnion(grant.requestedScope, scope), stepUps }
}

/** One person's offer is not another's: a flow is finished by whoever started it. */
const offerKey = ({ identity, row }: GrantedConnection, { scope, stepUps }: WiderScope): string =>
  JSON.stringify([refreshLeaseKey(row), identity.subject, row.grant.id, scope, stepUps])
