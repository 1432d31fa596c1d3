/** What becomes of tokens that came: written to their connection, kept until they can be, or given back where it is gone. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { HeldLease } from "../../../credential/Lease.ts"
import type { StoreUnavailableError } from "../../../error/StoreError.ts"
import { rotatedTokenOf, type TokenRequestError } from "../../../oauth/tokenFailure.ts"
import type { TokenSet } from "../../../oauth/TokenSet.ts"
import { announce } from "../../announce.ts"
import type { Resources } from "../../Resources.ts"
import type { GrantedConnection, GrantedRow } from "../GrantedConnection.ts"
import { clientKeyOf } from "../loadClient.ts"
import { oweRevocation } from "../RevocationOutbox.ts"
import { type FreshTokens, markHeld, saveTokens } from "./saveTokens.ts"
import type { TokensInHand } from "./TokensInHand.ts"
import type { UnsavedTokens } from "./UnsavedTokens.ts"

/** Where tokens are kept, and for which connection. */
export interface TokenKeeping {
  readonly resources: Resources
  readonly unsaved: UnsavedTokens
  readonly selected: GrantedConnection
  readonly held: Pick<HeldLease, "isHeld">
}

/**
 * Keeps the tokens that a request gave, whose intent is on the row `begun`. Answers whether they are the connection's: it may be gone.
 */
export const keepTokens = (
  keeping: TokenKeeping,
  begun: GrantedRow,
  tokens: TokenSet,
): Effect.Effect<boolean, StoreUnavailableError> =>
  Effect.gen(function* () {
    const { accessToken, refreshToken, expiresAt, issuedAt, scope } = tokens
    const fresh = { ...originOf(begun), accessToken, refreshToken, expiresAt, issuedAt, scope }
    if (yield* save(keeping, begun, fresh)) return true
    const successor = yield* keeping.resources.store.connections.get(begun)
    if (successor === undefined || successor.grant === null) yield* disown(keeping, begun, tokens)
    return false
  })

/** An answer that cannot be used may hold the successor of the refresh token that was spent for it. */
export const keepRotated = (
  keeping: TokenKeeping,
  begun: GrantedRow,
  { accessToken, expiresAt, issuedAt }: TokensInHand,
  failure: TokenRequestError,
): Effect.Effect<void> => {
  const refreshToken = rotatedTokenOf(failure)
  if (refreshToken === undefined || accessToken === undefined) return Effect.void
  const fresh = { ...originOf(begun), accessToken, refreshToken, expiresAt, issuedAt, scope: null }
  return Effect.asVoid(save(keeping, begun, fresh))
}

const originOf = ({ grant }: GrantedRow): Pick<FreshTokens, "grantId" | "replaces" | "intentId" | "spentHash"> => ({
  grantId: grant.id,
  replaces: grant.issuedAt,
  intentId: grant.intent?.id ?? null,
  spentHash: grant.intent?.tokenHash ?? null,
})

const save = (
  { resources, unsaved, selected, held }: TokenKeeping,
  row: GrantedRow,
  fresh: FreshTokens,
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const { identity } = selected
    const saved = yield* Effect.result(saveTokens(resources, identity, row, fresh, held))
    if (Result.isSuccess(saved) && saved.success.kind !== "taken_over") {
      unsaved.forget(row)
      return saved.success.kind === "saved"
    }
    const reason = Result.isFailure(saved) ? saved.failure._tag : "taken_over"
    announce(resources, identity, row, { type: "credential.unsaved", reason })
    unsaved.keep(identity, row, fresh, Result.isSuccess(saved) || (yield* markHeld(resources, row, fresh)))
    return true
  })

/** Tokens of a connection that was removed meanwhile are nobody's. One that was connected anew has the same grant at many servers. */
const disown = (
  { resources, selected }: TokenKeeping,
  row: GrantedRow,
  { accessToken, refreshToken }: TokenSet,
): Effect.Effect<void> => {
  if (row.oauthClient === null) return Effect.void
  const client = clientKeyOf(row, row.oauthClientOwner ?? row.owner, row.oauthClient)
  const { issuer, revocationUrl } = row.grant
  const template = selected.integration.authTemplates.find(({ slug }) => slug === row.template)
  return oweRevocation(resources, { client, template, issuer, revocationUrl, accessToken, refreshToken })
}
