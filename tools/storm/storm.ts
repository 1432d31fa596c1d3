/**
 * One storm: eight processes, one store and one provider against a rotating server, and what befalls them meanwhile.
 *
 * Every count is the server's, the store's or that of whoever called; none is the refresh coordinator's own.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import * as Effect from "effect/Effect"
import type { PostgresServer } from "../../packages/store-sql/test/support/postgresServer.ts"
import { Accounts } from "./Accounts.ts"
import { type AuthorizationServer, startAuthorizationServer } from "./AuthorizationServer.ts"
import type { WorkerCode } from "./bundleWorker.ts"
import { Crew, crewSize } from "./Crew.ts"
import { counted, type Finding } from "./Finding.ts"
import { explainLosses, type Losses } from "./losses.ts"
import { promiseOf } from "./promises.ts"
import type { Random } from "./Random.ts"
import { openExecutor, openStore, type Stage } from "./Stage.ts"
import { type TroubleKind, troubles } from "./troubles.ts"

/** What a storm is made of. */
export interface StormOptions {
  readonly postgres: PostgresServer | undefined
  readonly rotation: "strict" | "grace"
  readonly trouble: TroubleKind
  readonly seconds: number
  readonly code: WorkerCode
}

const accountCount = 10
const accessTokenSeconds = 2
const everyMs = 400

/** Runs one. */
export const storm = async (random: Random, options: StormOptions): Promise<Finding> => {
  const { postgres, rotation, trouble, seconds, code } = options
  const folder = mkdtempSync(join(tmpdir(), "keyward-storm-"))
  const stage: Stage = {
    database:
      postgres === undefined
        ? { filename: join(folder, "keyward.db") }
        : {
            connectionString: postgres.connectionString,
            schema: `storm_${random.between(0, 2 ** 31)}`,
          },
    vault: join(folder, "vault"),
    leaseMs: trouble === "stop" ? 2_000 : undefined,
    accounts: accountCount,
  }
  try {
    await using server = await startAuthorizationServer({
      rotation,
      accessTokenSeconds,
      answerMs: trouble === "none" ? 0 : 250,
    })
    await using crew = new Crew(random, stage, { everyMs, code })
    const store = openStore(stage)
    const executor = await openExecutor(stage, { store })
    const accounts = new Accounts(executor, store, stage, server)
    await accounts.connectAll()
    await crew.start()
    const until = Date.now() + seconds * 1000
    const watch = async (): Promise<void> => {
      while (Date.now() < until) {
        try {
          await accounts.look()
        } catch (error) {
          // The database is away just now.
          if (trouble !== "restart") throw error
        }
        await delay(250)
      }
    }
    const [facts] = await Promise.all([troubles[trouble]({ random, crew, postgres, until }), watch()])
    await crew.finish()
    // A grant that nobody has used since it was lost is found out by whoever uses it next.
    await accounts.usable()
    await accounts.look()
    const usable = await accounts.usable()
    const seen = await server.report()
    const losses = explainLosses(seen.grants, accounts, crew)
    await executor.close()
    await Effect.runPromise(store.close())
    return findingOf(options, { facts, seen, losses, accounts, crew, usable })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Counted {
  readonly facts: Finding["facts"]
  readonly seen: Awaited<ReturnType<AuthorizationServer["report"]>>
  readonly losses: Losses
  readonly accounts: Accounts
  readonly crew: Crew
  readonly usable: number
}

const findingOf = (
  { postgres, rotation, trouble, seconds }: StormOptions,
  { facts, seen, losses, accounts, crew, usable }: Counted,
): Finding => {
  const isSpared = trouble === "none" || trouble === "restart" || rotation === "grace"
  const calls = [...crew.outcomes.values()].reduce((sum, count) => sum + count, 0)
  const ok = crew.outcomes.get("ok") ?? 0
  const others = new Map([...crew.outcomes].filter(([outcome]) => outcome !== "ok"))
  // A process that stood still sends what has run out meanwhile, also when that is what it had just asked for.
  const mayBeLate = (outcome: string): boolean => trouble === "stop" && outcome.includes("connection_rejected")
  const mayFail = (outcome: string): boolean =>
    mayBeLate(outcome) ||
    (trouble !== "none" &&
      (outcome.startsWith("again: ") || (!isSpared && /oauth_reauth_required|connection_rejected/.test(outcome))))
  const failed = [...others].reduce((sum, [outcome, count]) => sum + (mayFail(outcome) ? 0 : count), 0)
  const wrongReasons = accounts.lost.filter(({ reason }) => reason !== "rotation_lost").length
  const broken: Array<string> = []
  const must = (holds: boolean, what: string): void => void (holds || broken.push(what))
  if (trouble === "none") {
    must(seen.requests === seen.expiries && seen.early === 0, "a token was refreshed more than once, or early")
    must(seconds < 60 || seen.expiries >= 100, "there were fewer than 100 expiries")
  }
  must(failed === 0, "a call failed")
  must(ok > 0 && usable === accountCount, "an account cannot be used")
  must(losses.unexplained === 0, "a grant was lost that nobody was killed or stopped for")
  must(!isSpared || losses.total === 0, "a grant was lost")
  must(
    accounts.lost.length === losses.total,
    "the connections that say that they are expired are not those that are lost",
  )
  must(wrongReasons === 0, "an expired connection says another reason than rotation_lost")
  return {
    title: `${postgres === undefined ? "SQLite and the encrypted file" : "Postgres and its table of secrets"}, ${titles[trouble]}, ${rotation === "strict" ? "strict rotation (oidc-provider)" : "a grace window of 30 s"}`,
    promise: promiseOf(trouble, rotation),
    facts: [
      ["processes", crewSize],
      ["accounts", accountCount],
      ["seconds", seconds],
      ...facts,
      [trouble === "none" ? "**expiries**" : "refresh tokens used", seen.expiries],
      [trouble === "none" ? "**token requests**" : "token requests", seen.requests],
      ...(rotation === "strict" ? ([["refreshes in the first half of a token's life", seen.early]] as const) : []),
      ...counted("token requests that the server turned down: ", new Map(Object.entries(seen.refused))),
      ["calls", calls],
      ["answered", ok],
      ...counted("calls, ", others),
      [
        trouble === "none"
          ? "**failed calls**"
          : "**calls told anything but success, to try again, or to connect anew**",
        failed,
      ],
      [isSpared ? "**grants lost**" : "grants lost", losses.total],
      ...(isSpared
        ? []
        : ([
            ["of them: hit between the request and the write of what came back", losses.afterSend],
            ["of them: hit between the intent and the request, which left when the process went on", losses.beforeSend],
            ["**of them: for no such reason**", losses.unexplained],
          ] as const)),
      ["connections that said `rotation_lost`", accounts.lost.length - wrongReasons],
      ["**connections expired for another reason**", wrongReasons],
      ["**accounts usable at the end, those connected anew included**", usable],
    ],
    stories: losses.stories,
    broken,
  }
}

const titles: Readonly<Record<TroubleKind, string>> = {
  none: "steady calls",
  kill: "SIGKILL every 300 ms",
  stop: "SIGSTOP for longer than the lease",
  restart: "Postgres restarted under load",
}
