/**
 * Where a person goes when a connection needs one: a flow for the same connection, begun for whoever made the call, where it is theirs to
 * connect (whoConnects.ts).
 *
 * Offered with failures that only a person can mend. The connection stays usable as it is in the meantime.
 */
import * as Effect from "effect/Effect"
import { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import type { ConnectionGrant } from "../../connection/ConnectionGrant.ts"
import { identityModeOf } from "../../integration/Integration.ts"
import { scopeSet, scopeUnion } from "../../oauth/TokenSet.ts"
import type { ToolResult } from "../../tool/ToolResult.ts"
import type { Resources } from "../Resources.ts"
import { connectUrlOf, isTheirsToRenew } from "../select/whoConnects.ts"
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
  const { error } = result
  const details = error.details as Readonly<Record<string, unknown>> | undefined
  if (details?.["category"] !== "authentication" || details["authRequired"] !== true) return Effect.succeed(result)
  const scope = typeof details["scope"] === "string" ? details["scope"] : undefined
  const nextStep = typeof details["nextStep"] === "string" ? details["nextStep"] : ""
  return Effect.map(wayOn(resources, selected, { code: error.code, nextStep, scope }), (way) => {
    const message = error.message.endsWith(nextStep)
      ? `${error.message.slice(0, error.message.length - nextStep.length)}${way.nextStep}`
      : error.message
    return { ok: false, error: { ...error, message, details: { ...details, ...way } } }
  })
}

/** Adds the way on to an error that needs a person. */
export const errorWithWayOn = (
  resources: Resources,
  selected: GrantedConnection,
  error: ConnectionCredentialError,
): Effect.Effect<ConnectionCredentialError> =>
  error.authRequired
    ? Effect.map(wayOn(resources, selected, error), (way) => {
        const { code, connection, reason, retryable, authRequired, scope } = error
        return new ConnectionCredentialError({
          code,
          connection,
          reason,
          retryable,
          authRequired,
          ...(scope === undefined ? {} : { scope }),
          ...way,
        })
      })
    : Effect.succeed(error)

/** What a failure says about mending it. */
interface WayOn {
  readonly nextStep: string
  readonly authorizeUrl?: string
  readonly connectUrl?: string
}

/** A link for whoever may follow it; everybody is told where the host wants them to go. */
const wayOn = (
  resources: Resources,
  selected: GrantedConnection,
  { code, nextStep, scope }: { readonly code: string; readonly nextStep: string; readonly scope?: string | undefined },
): Effect.Effect<WayOn> => {
  const { identity, row, integration } = selected
  const connectUrl = connectUrlOf(resources, identity, row)
  const place = connectUrl === undefined ? {} : { connectUrl }
  if (!isTheirsToRenew(identity, row.owner, identityModeOf(integration))) {
    const at = connectUrl === undefined ? "" : " at connectUrl"
    const who = `It is the organisation's; an administrator has to act${at}: ${nextStep}`
    return Effect.succeed({ nextStep: who, ...place })
  }
  return Effect.map(renewalUrl(resources, selected, code, scope), (authorizeUrl) => ({
    nextStep,
    ...(authorizeUrl === undefined ? {} : { authorizeUrl }),
    ...place,
  }))
}

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
