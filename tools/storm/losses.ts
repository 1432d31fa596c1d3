/** Why grants were lost: whose request rotated the token last, whose used a spent one, what befell them, and all of it in order. */
import type { Accounts } from "./Accounts.ts"
import type { GrantSeen, TokenRequestSeen } from "./AuthorizationServerMessages.ts"
import type { Crew, Worker } from "./Crew.ts"

/** Grants that the server revoked. */
export interface Losses {
  readonly total: number
  /** Whoever rotated the token was killed or stopped before it had written the new one. */
  readonly afterSend: number
  /** Whoever used the spent one was stopped with the request prepared, and sent it when it went on. */
  readonly beforeSend: number
  readonly unexplained: number
  /** Each of them, step by step. */
  readonly stories: ReadonlyArray<string>
}

/** See the file's header. */
export const explainLosses = (grants: ReadonlyArray<GrantSeen>, accounts: Accounts, crew: Crew): Losses => {
  const counts = { total: 0, afterSend: 0, beforeSend: 0, unexplained: 0 }
  const stories: Array<string> = []
  for (const [index, grant] of grants.entries()) {
    const { rotations, revoked } = grant
    if (revoked === null) continue
    const connection = accounts.connectionOf(index)
    const rotated = rotations.at(-1)
    counts.total += 1
    const kind =
      rotated !== undefined && wasHitAfter(rotated, connection, crew)
        ? "afterSend"
        : wasWokenBefore(revoked, crew)
          ? "beforeSend"
          : "unexplained"
    counts[kind] += 1
    stories.push(`${connection}, ${kinds[kind]}:\n${storyOf(grant, connection, crew).join("\n")}`)
  }
  return { ...counts, stories }
}

const kinds = {
  afterSend: "hit between the request and the write of what came back",
  beforeSend: "hit between the intent and the request",
  unexplained: "NOT EXPLAINED",
} as const

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

/** How far back a story begins, a server's grace included, and how far it goes on. */
const beforeMs = 45_000
const afterMs = 3_000

/** When a grant was lost. A server that does not keep who ended it does not say when either, and a process wrote it down. */
const endOf = (revoked: TokenRequestSeen | null, connection: string, crew: Crew): number => {
  if (revoked === null || revoked.port !== 0) return revoked?.at ?? 0
  const written = crew.everybody.flatMap(({ wrote }) => wrote)
  const expired = written.filter((row) => row.connection === connection && row.status === "expired")
  return Math.max(0, ...expired.map(({ at }) => at)) || revoked.at
}

const storyOf = ({ rotations, revoked }: GrantSeen, connection: string, crew: Crew): ReadonlyArray<string> => {
  const end = endOf(revoked, connection, crew)
  const events: Array<readonly [at: number, what: string]> = []
  const note = (at: number, worker: Worker | undefined, what: string): void => {
    if (at >= end - beforeMs && at <= end + afterMs) events.push([at, `process ${worker?.process.pid ?? "?"} ${what}`])
  }
  for (const request of rotations)
    note(request.at, crew.senderOf(request), `rotates the token, from port ${request.port}`)
  if (revoked !== null && revoked.port !== 0) {
    note(revoked.at, crew.senderOf(revoked), `sends a spent token, from port ${revoked.port}`)
  }
  for (const worker of crew.everybody) {
    const own = worker.wrote.filter((written) => written.connection === connection)
    for (const { at, isWritten, status, issuedAt, intent } of own) {
      note(
        at,
        worker,
        `${isWritten ? "writes" : "fails to write"} the row: ${status}, token of ${issuedAt - end} ms, intent: ${intent}`,
      )
    }
    if (!own.some(({ at }) => at >= end - beforeMs && at <= end + afterMs)) continue
    for (const at of worker.hitAt) note(at, worker, "is hit")
    for (const at of worker.wokenAt) note(at, worker, "goes on")
  }
  return events.sort(([one], [other]) => one - other).map(([at, what]) => `- ${at - end} ms: ${what}`)
}
