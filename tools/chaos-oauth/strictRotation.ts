/**
 * Random interruption and server faults against the certified oidc-provider with strict rotation, which revokes a grant when a spent
 * refresh token is used. Not one grant may be lost.
 */
import { setTimeout as delay } from "node:timers/promises"
import type { ExecutorEvent } from "@keyward/core"
import { type Account, accountsOf, connectAccounts, openExecutor, type Stage, tenants } from "./Accounts.ts"
import { faultProxy } from "./FaultProxy.ts"
import { counted, type Finding, must } from "./Finding.ts"
import type { Random } from "./Random.ts"
import { count, type Shakiness, shakyProvider, shakyStore } from "./shaky.ts"
import { strictServer } from "./StrictServer.ts"
import { attempt, emptyTally, startWorkload } from "./Workload.ts"

const accessTokenSeconds = 2

/** Runs until so many tokens have run out and were refreshed. */
export const strictRotation = async (
  random: Random,
  { expiries, hangs, executors }: { readonly expiries: number; readonly hangs: boolean; readonly executors: 1 | 2 },
): Promise<Finding> => {
  await using server = await strictServer({ accessTokenSeconds, turnDownShare: 0.002 })
  await using proxy = await faultProxy(server.origin, random, { hangs })
  const shakiness: Shakiness = { random, isOn: false, losesWrites: executors === 1, tally: new Map() }
  const events = new Map<string, number>()
  const stage: Stage = {
    serviceOrigin: server.origin,
    authorizationUrl: `${server.origin}/auth`,
    tokenUrl: `${proxy.origin}/token`,
    store: shakyStore(shakiness),
    provider: shakyProvider(shakiness),
    onEvent: (event: ExecutorEvent) => count(events, event.type),
    visit: (url) => server.visit(url),
  }
  const size = expiries < 1000 ? 40 : 160
  const executor = await openExecutor(stage)
  const accounts = await connectAccounts(executor, stage, size)
  const others = await Promise.all(Array.from({ length: executors - 1 }, () => openExecutor(stage)))
  const everywhere = [...accounts, ...others.flatMap((other) => accountsOf(other, size))]
  const tally = emptyTally()

  const alive = executor.withIdentity({ tenant: tenants[1] }).oauth.keepAlive({ everyMs: 200 })
  proxy.misbehave(0.35)
  shakiness.isOn = true
  const stop = startWorkload(everywhere, random, tally, { callers: 16, editors: 2 })
  while ((await server.report()).refreshes < expiries && tally.broken.size === 0) await delay(250)
  await stop()
  proxy.misbehave(0)
  shakiness.isOn = false
  await alive.stop()
  const stormOver = await server.report()

  // The cool-down of a connection whose server failed again and again is at most 75 s.
  const usable = await settle(accounts)
  for (const one of [executor, ...others]) await one.close()
  // What is stored is what is in force: somebody else who has nothing but the records goes on from there.
  const successor = await openExecutor(stage)
  await delay(accessTokenSeconds * 1000)
  const inherited = await settle(accountsOf(successor, size))
  await successor.close()
  const report = await server.report()

  const facts = [
    ["accounts", size],
    ["expiries, each with one successful refresh", report.refreshes],
    ["of them during the storm", stormOver.refreshes],
    ["token requests that reached the proxy", [...proxy.tally.values()].reduce((sum, one) => sum + one, 0)],
    ...counted("proxy: ", proxy.tally),
    ...counted("", shakiness.tally),
    ["access tokens that the service turned down while they were good", report.turnedDown],
    ["calls", tally.calls],
    ["answered", tally.answered],
    ["callers who gave up in between", tally.abandoned],
    ["edits of connections in between", tally.edits],
    ["calls that found their connection disabled by such an edit", tally.disabled],
    ...counted("calls that were told to try again: ", tally.retryable),
    ["new tokens that could not be saved at once", events.get("credential.unsaved") ?? 0],
    ...early(executors, report.early),
    ["**grants revoked for reuse**", report.revoked],
    [
      "**token requests that the server turned down**",
      Object.values(report.refused).reduce((sum, one) => sum + one, 0),
    ],
    ["**connections expired**", events.get("connection.expired") ?? 0],
    ["**accounts usable at the end**", usable],
    ["**accounts usable for another executor over the same records**", inherited],
    ["**answers other than success or “try again”**", [...tally.broken.values()].reduce((sum, one) => sum + one, 0)],
  ] as const
  const finding = {
    title: `Strict rotation with reuse detection (oidc-provider), ${executors === 1 ? "one executor" : "two executors over one store"}`,
    facts,
  }
  must(tally.broken.size === 0, `a caller was told ${JSON.stringify([...tally.broken])}`, finding)
  must(proxy.lostAnswers === 0, "an answer of the server was not waited for, which this run cannot judge", finding)
  must(proxy.redirectsFollowed === 0, "a redirect was followed", finding)
  must(report.revoked === 0 && Object.keys(report.refused).length === 0, JSON.stringify(report.refused), finding)
  must((events.get("connection.expired") ?? 0) === 0, "a connection expired", finding)
  // One executor does not know what another could not save.
  const unsaved = executors === 1 ? 0 : (events.get("credential.unsaved") ?? 0)
  must(report.early <= unsaved, "a token was refreshed before it was due", finding)
  must(usable === size && inherited === size, "an account cannot be used", finding)
  must(report.refreshes >= expiries, "there were too few expiries", finding)
  return finding
}

const early = (executors: 1 | 2, count: number): ReadonlyArray<readonly [what: string, count: number]> => [
  executors === 1
    ? ["**refreshes in the first half of a token's life that had not been turned down**", count]
    : ["refreshes of young tokens that the other executor had not been able to save", count],
]

/** Uses every account until it works; answers how many do within two minutes. */
export const settle = async (accounts: ReadonlyArray<Account>): Promise<number> => {
  const deadline = Date.now() + 120_000
  const usable = await Promise.all(
    accounts.map(async (account) => {
      await account.executor.connections.enable(account.ref)
      while (!(await attempt(account, false, undefined, emptyTally()))) {
        if (Date.now() > deadline) return false
        await delay(200)
      }
      return true
    }),
  )
  return usable.filter(Boolean).length
}
