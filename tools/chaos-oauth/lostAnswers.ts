/**
 * Answers that are lost after the server has rotated the refresh token, against a server that grants the spent one again for half a
 * minute, as many do. Not one grant may be lost.
 */
import { setTimeout as delay } from "node:timers/promises"
import { type ExecutorEvent, memoryProvider, memoryStore } from "@keyward/core"
import { type AuthorizationServerFault, misbehavingAuthorizationServer } from "@keyward/core/testing"
import { connectAccounts, openExecutor, type Stage, tenants } from "./Accounts.ts"
import { counted, type Finding, must } from "./Finding.ts"
import type { Random } from "./Random.ts"
import { count } from "./shaky.ts"
import { settle } from "./strictRotation.ts"
import { emptyTally, startWorkload } from "./Workload.ts"

const accessTokenSeconds = 2

/** Runs until so many tokens have run out and were refreshed. */
export const lostAnswers = async (
  random: Random,
  { expiries, hangs }: { readonly expiries: number; readonly hangs: boolean },
): Promise<Finding> => {
  await using server = await misbehavingAuthorizationServer({ accessTokenSeconds, rotation: "grace", graceMs: 30_000 })
  const events = new Map<string, number>()
  const stage: Stage = {
    serviceOrigin: server.origin,
    authorizationUrl: server.authorizationUrl,
    tokenUrl: server.tokenUrl,
    store: memoryStore(),
    provider: memoryProvider(),
    onEvent: (event: ExecutorEvent) => count(events, event.type),
    visit: (url) => server.visit(url),
  }
  const executor = await openExecutor(stage)
  const accounts = await connectAccounts(executor, stage, 40)
  const before = server.requests("token").length
  const script = Array.from({ length: expiries * 4 }, () => draw(random, hangs))
  server.next("token", ...script.map(({ fault }) => fault))
  const tally = emptyTally()
  const alive = executor.withIdentity({ tenant: tenants[1] }).oauth.keepAlive({ everyMs: 200 })
  const stop = startWorkload(accounts, random, tally, { callers: 12, editors: 1 })
  while ((events.get("credential.refreshed") ?? 0) < expiries && tally.broken.size === 0) await delay(250)
  await stop()
  await alive.stop()
  const requests = server.requests("token").length - before
  const drawn = new Map<string, number>()
  for (const { name } of script.slice(0, requests)) count(drawn, name)
  const usable = await settle(accounts)
  await executor.close()

  const ended = server.grants.filter(({ endedBy }) => endedBy !== null).length
  const facts = [
    ["accounts", accounts.length],
    ["expiries, each with a successful refresh", events.get("credential.refreshed") ?? 0],
    ["token requests", requests],
    ...counted("server: ", drawn),
    ["spent refresh tokens that were used again, within the grace", server.reuses],
    ["calls", tally.calls],
    ["answered", tally.answered],
    ["callers who gave up in between", tally.abandoned],
    ["calls that found their connection disabled by an edit", tally.disabled],
    ...counted("calls that were told to try again: ", tally.retryable),
    ["**grants that the server ended**", ended],
    ["**connections expired**", events.get("connection.expired") ?? 0],
    ["**accounts usable at the end**", usable],
    ["**answers other than success or “try again”**", [...tally.broken.values()].reduce((sum, one) => sum + one, 0)],
  ] as const
  const finding = { title: "Lost answers, and a server with a grace window of 30 s", facts }
  must(tally.broken.size === 0, `a caller was told ${JSON.stringify([...tally.broken])}`, finding)
  must(ended === 0 && (events.get("connection.expired") ?? 0) === 0, "a grant was lost", finding)
  must(usable === accounts.length, "an account cannot be used", finding)
  return finding
}

interface Drawn {
  readonly name: string
  readonly fault: AuthorizationServerFault
}

const draw = (random: Random, hangs: boolean): Drawn => {
  if (!random.chance(0.4)) return { name: "answered", fault: { fault: "none" } }
  return random.pick(hangs ? [...quickFaults, ...slowFaults] : quickFaults)
}

const slowFaults: ReadonlyArray<Drawn> = [
  ...repeated(1, "processed, then nothing", { fault: "hang", isProcessed: true }),
  ...repeated(1, "processed, and nothing after the headers", { fault: "hang_after_headers" }),
]

const quickFaults: ReadonlyArray<Drawn> = [
  ...repeated(4, "processed, then reset", { fault: "reset", isProcessed: true }),
  ...repeated(4, "processed, and half of the answer", { fault: "truncate" }),
  ...repeated(2, "processed, and the answer without the access token", { fault: "change", json: { access_token: "" } }),
  ...repeated(3, "reset before it was processed", { fault: "reset" }),
  ...repeated(3, "503", { fault: "answer", status: 503 }),
]

function repeated(times: number, name: string, fault: AuthorizationServerFault): ReadonlyArray<Drawn> {
  return Array.from({ length: times }, () => ({ name, fault }))
}
