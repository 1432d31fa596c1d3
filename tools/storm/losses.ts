/** Why grants were lost: whose request rotated the token last, whose used a spent one, and what befell them. */
import type { Accounts } from "./Accounts.ts"
import type { GrantSeen, TokenRequestSeen } from "./AuthorizationServerMessages.ts"
import type { Crew } from "./Crew.ts"

/** Grants that the server revoked. */
export interface Losses {
  readonly total: number
  /** Whoever rotated the token was killed or stopped before it had written the new one. */
  readonly afterSend: number
  /** Whoever used the spent one was stopped with the request prepared, and sent it when it went on. */
  readonly beforeSend: number
  readonly unexplained: number
}

/** See the file's header. */
export const explainLosses = (grants: ReadonlyArray<GrantSeen>, accounts: Accounts, crew: Crew): Losses => {
  const counts = { total: 0, afterSend: 0, beforeSend: 0, unexplained: 0 }
  for (const [index, { rotated, revoked }] of grants.entries()) {
    if (revoked === null) continue
    counts.total += 1
    if (rotated !== null && wasHitAfter(rotated, accounts.connectionOf(index), crew)) counts.afterSend += 1
    else if (wasWokenBefore(revoked, crew)) counts.beforeSend += 1
    else {
      counts.unexplained += 1
      const sender = rotated === null ? undefined : crew.senderOf(rotated)
      console.error(
        `Unexplained: ${accounts.connectionOf(index)}`,
        JSON.stringify({
          rotated,
          revoked,
          hitAt: sender?.hitAt,
          wokenAt: sender?.wokenAt,
          refreshed: sender?.refreshed,
        }),
      )
    }
  }
  return counts
}

/** A server that is busy may read a request only after its sender was hit. */
const lateMs = 500

const wasHitAfter = (request: TokenRequestSeen, connection: string, crew: Crew): boolean => {
  const sender = crew.senderOf(request)
  const hitAt = sender?.hitAt.find((at) => at >= request.at - lateMs)
  if (sender === undefined || hitAt === undefined) return false
  return !sender.refreshed.some(
    (event) => event.connection === connection && event.at >= request.at && event.at <= hitAt,
  )
}

const wasWokenBefore = (request: TokenRequestSeen, crew: Crew): boolean =>
  crew.senderOf(request)?.wokenAt.some((at) => at <= request.at && request.at - at < 2_000) === true
