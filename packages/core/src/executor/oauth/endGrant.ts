/**
 * What becomes of the tokens of a connection that is removed or replaced: they are put down for revocation.
 */
import * as Effect from "effect/Effect"
import type { ConnectionRow } from "../../connection/Connection.ts"
import type { Resources } from "../Resources.ts"
import { isSameIssuer } from "./clientServer.ts"
import { clientKeyOf } from "./loadClient.ts"
import { oweRevocation } from "./RevocationOutbox.ts"
import { readTokens } from "./tokenItems.ts"

/**
 * Reads the tokens of a row now, while they are there, and answers how to put them down for revocation.
 *
 * Nothing where the successor's tokens are of the same client at the same server: many servers know one grant per person and app, and
 * would revoke the new tokens with the old ones. Tokens that cannot be read are left to run out.
 */
export const endGrant = (
  resources: Resources,
  row: ConnectionRow | undefined,
  successor: ConnectionRow | undefined,
): Effect.Effect<Effect.Effect<void>> => {
  if (row === undefined || row.grant === null || row.oauthClient === null) return Effect.succeed(Effect.void)
  const { grant, oauthClient } = row
  const next = successor?.grant ?? null
  if (next !== null && next.clientId === grant.clientId && isSameIssuer(next.issuer, grant.issuer)) {
    return Effect.succeed(Effect.void)
  }
  const client = clientKeyOf(row, row.oauthClientOwner ?? row.owner, oauthClient)
  const { issuer, revocationUrl } = grant
  return Effect.gen(function* () {
    const nothing = { accessToken: undefined, refreshToken: undefined }
    const tokens = yield* Effect.catch(readTokens(resources, row), () => Effect.succeed(nothing))
    const integrations = resources.store.integrations.get(row.tenant, row.integration)
    const integration = yield* Effect.catch(integrations, () => Effect.undefined)
    const template = integration?.authTemplates.find(({ slug }) => slug === row.template)
    return oweRevocation(resources, { client, template, issuer, revocationUrl, ...tokens })
  })
}
