/** What befalls the processes and the database of a storm. */
import { setTimeout as delay } from "node:timers/promises"
import type { PostgresServer } from "../../packages/store-sql/test/support/postgresServer.ts"
import type { Crew } from "./Crew.ts"
import type { Finding } from "./Finding.ts"
import type { Random } from "./Random.ts"

/** The kinds of it. */
export type TroubleKind = "none" | "kill" | "stop" | "restart"

interface TroubleContext {
  readonly random: Random
  readonly crew: Crew
  readonly postgres: PostgresServer | undefined
  /** When it ends, epoch milliseconds. */
  readonly until: number
}

/** Each goes on until the time is over, and says what it did. */
export const troubles: Readonly<Record<TroubleKind, (context: TroubleContext) => Promise<Finding["facts"]>>> = {
  none: async ({ until }) => {
    await delay(until - Date.now())
    return []
  },

  kill: async ({ random, crew, until }) => {
    let kills = 0
    while (Date.now() < until) {
      const victim = crew.atWork[random.between(0, crew.atWork.length - 1)]
      // All of them may be starting.
      if (victim !== undefined) {
        crew.replace(victim)
        kills += 1
      }
      await delay(300)
    }
    return [["processes killed and replaced", kills]]
  },

  stop: async ({ random, crew, until }) => {
    let stops = 0
    const waking: Array<Promise<void>> = []
    while (Date.now() < until) {
      const victim = crew.atWork[random.between(0, crew.atWork.length - 1)]
      // Half of them go on with the work.
      if (victim !== undefined && crew.atWork.length > crew.workers.length / 2) {
        victim.stop()
        stops += 1
        waking.push(delay(random.between(4_000, 8_000)).then(() => victim.goOn()))
      }
      await delay(random.between(300, 900))
    }
    await Promise.all(waking)
    return [["processes stopped for 4 to 8 s, with a lease of 2 s", stops]]
  },

  restart: async ({ random, crew, postgres, until }) => {
    if (postgres === undefined) throw new Error("Only Postgres is restarted.")
    let [restarts, slowestMs] = [0, 0]
    while (Date.now() < until - 8_000) {
      await delay(random.between(2_000, 6_000))
      await postgres.stop()
      await delay(random.between(100, 3_000))
      await postgres.start()
      const answersAt = Date.now()
      restarts += 1
      // What is heard later may have been answered a little earlier.
      while (crew.workers.some(({ lastOkAt }) => lastOkAt < answersAt + 100)) {
        await delay(20)
        if (Date.now() - answersAt > 60_000) throw new Error("A process does not recover.")
      }
      slowestMs = Math.max(slowestMs, Date.now() - answersAt)
    }
    await delay(Math.max(0, until - Date.now()))
    return [
      ["restarts of the database", restarts],
      ["milliseconds until the last of the processes answered again, at most", slowestMs],
    ]
  },
}
