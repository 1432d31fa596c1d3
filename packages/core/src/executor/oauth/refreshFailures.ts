/**
 * Why a connection's tokens could not be renewed, in words that a person can act on.
 *
 * Two kinds: a person has to connect the account again, or it is worth trying later. An outage is never the first kind.
 */
import type { ConnectionRow } from "../../connection/Connection.ts"
import { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import { connectionAddress } from "../../connection/ConnectionRef.ts"
import { quote } from "../../error/KeywardError.ts"
import type { OAuthClientRecord } from "../../oauth/OAuthClient.ts"
import type { TokenRequestError } from "../../oauth/tokenFailure.ts"

/** The reasons for which a grant ends; what `statusReason` of an `expired` connection says. */
export type ExpiryReason =
  "grant_rejected" | "rotation_lost" | "no_refresh_token" | "client_removed" | "client_changed" | "dpop_key_missing"

/** The failure of a connection whose account a person has to connect again. */
export const reauthRequired = (row: ConnectionRow, reason: string): ConnectionCredentialError =>
  new ConnectionCredentialError({
    code: "oauth_reauth_required",
    connection: connectionAddress(row),
    reason,
    nextStep: wayOn(row, reason),
    retryable: false,
    authRequired: true,
  })

/** The failure of a refresh that may succeed later, or once somebody has corrected the client. */
export const refreshFailed = (
  row: ConnectionRow,
  reason: string,
  nextStep: string,
  retryAfterMs?: number,
): ConnectionCredentialError =>
  new ConnectionCredentialError({
    code: "oauth_refresh_failed",
    connection: connectionAddress(row),
    reason,
    nextStep,
    retryable: true,
    authRequired: false,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })

/** What a failed token request means for the connection while its grant may still be good. */
export const refusedRefresh = (
  row: ConnectionRow,
  failure: TokenRequestError,
  origin: OAuthClientRecord["origin"],
  retryAfterMs: number,
): ConnectionCredentialError => {
  const host = quote(failure.host)
  const client = quote(row.oauthClient)
  switch (failure.kind) {
    case "client_rejected":
      return refreshFailed(
        row,
        failure.code,
        `${host} does not accept the OAuth app ${client}. ${mending[origin]}`,
        retryAfterMs,
      )
    case "grant_dead":
      return refreshFailed(
        row,
        failure.code,
        `${host} did not accept what the OAuth app ${client} signed for this connection. Check the app's key, the subject that it speaks for, and the clock of this machine.`,
        retryAfterMs,
      )
    case "denied":
    case "request_rejected":
      return refreshFailed(
        row,
        failure.code,
        `${host} turned the refresh itself down. Check the scopes, the resource and the quirks of the OAuth app ${client}; the connection itself may be fine.`,
        retryAfterMs,
      )
    case "refused":
      return refreshFailed(
        row,
        failure.code,
        `The token endpoint at ${host} may not be reached from here. If that is intended, list it in egress.allowHosts.`,
        retryAfterMs,
      )
    default:
      return refreshFailed(
        row,
        failure.code,
        `${host} could not renew the access token just now. The connection is kept; try again later.`,
        retryAfterMs,
      )
  }
}

/** A registration that a server does not know any more cannot be corrected, only made anew. */
const mending: Readonly<Record<OAuthClientRecord["origin"], string>> = {
  manual: "Correct its id, secret or authentication method with oauth.createClient; the connection itself may be fine.",
  dynamic:
    "Its registration there may be gone: call oauth.removeClient and oauth.registerDynamicClient, then connect the account again.",
  metadata_document:
    "Check the document that its client id leads to, which the server reads; the connection itself may be fine.",
}

/** What a person does about an expired connection. */
const wayOn = (row: Pick<ConnectionRow, "oauthClient">, reason: string): string =>
  `${explanations[reason as ExpiryReason]?.(quote(row.oauthClient)) ?? "Its authorization is no longer good."} Connect the account again under the same name.`

const explanations: Readonly<Record<ExpiryReason, (client: string) => string>> = {
  grant_rejected: () => "The service no longer accepts this authorization: it was revoked there, or it ran out.",
  rotation_lost: () =>
    "The answer to a refresh was lost on the way, and the service has replaced the refresh token meanwhile.",
  no_refresh_token: () => "The access token has run out, and the service gave nothing to renew it with.",
  client_removed: (client) => `The OAuth app ${client} that it was connected through is gone; create it again first.`,
  client_changed: (client) => `The OAuth app ${client} has become another one since; tokens are bound to the app.`,
  dpop_key_missing: () => "The key that its tokens are bound to is gone from the credential provider.",
}
