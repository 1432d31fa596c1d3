/**
 * Processes that die by SIGKILL at random moments while they refresh, over records that outlive them.
 *
 * Between the server's rotation and the first write nothing can help but the server's grace: without one such a grant is lost, and the
 * connection has to say so. With one none is.
 */
import { type ChildProcess, fork } from "node:child_process"
import { setTimeout as delay } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { memoryProvider, memoryStore, type Store } from "@keyward/core"
import type { ConnectionKey, ConnectionRow } from "@keyward/core/effect"
import { misbehavingAuthorizationServer } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { type Account, connect, connectAccounts, openExecutor, type Stage } from "./Accounts.ts"
import { type Finding, must } from "./Finding.ts"
import type { Random } from "./Random.ts"
import { serveRecords } from "./RemoteRecords.ts"

const howMany = 24

/** Kills so many processes. */
export const killedProcesses = async (
  random: Random,
  { kills, rotation }: { readonly kills: number; readonly rotation: "strict" | "grace" },
): Promise<Finding> => {
  await using server = await misbehavingAuthorizationServer({ rotation, accessTokenSeconds: 3600 })
  const stage: Stage = {
    serviceOrigin: server.origin,
    authorizationUrl: server.authorizationUrl,
    tokenUrl: server.tokenUrl,
    store: memoryStore(),
    provider: memoryProvider(),
    visit: (url) => server.visit(url),
  }
  const executor = await openExecutor(stage)
  const accounts = await connectAccounts(executor, stage, howMany)
  const reasons: Array<string> = []
  let [interrupted, refreshes] = [0, 0]

  let next = spawnWorker(stage)
  for (let round = 0; round <= kills; round += 1) {
    const worker = await next
    const isLast = round === kills
    if (!isLast) next = spawnWorker(stage)
    server.expireAccessTokens()
    for (const account of accounts) await runOut(stage.store, account)
    const before = server.requests("token").length
    const done = new Promise<ReadonlyArray<string>>((resolve) => {
      worker.on("message", (message: { readonly type: string; readonly outcomes?: ReadonlyArray<string> }) => {
        if (message.type === "done") resolve(message.outcomes ?? [])
      })
    })
    const ended = new Promise((resolve) => worker.once("exit", resolve))
    const begunAt = Date.now()
    worker.send({ type: "go" })
    if (isLast) await done
    else {
      await Promise.race([server.received("token", before + 1), done])
      await delay(random.between(0, 250))
    }
    worker.kill("SIGKILL")
    await ended
    // What it sent before it died is done, and written down, before anybody looks.
    await delay(20)
    refreshes += server.requests("token").length - before
    for (const account of accounts) {
      const { status, statusReason, grant } = await rowOf(stage.store, account)
      if (grant?.intent != null && grant.intent.startedAt >= begunAt) interrupted += 1
      if (status !== "expired") continue
      reasons.push(String(statusReason))
      await connect(account.executor, account.ref, stage)
    }
  }
  const usable = (
    await Promise.all(accounts.map(async (account) => (await account.executor.execute(account.address, {})).ok))
  ).filter(Boolean).length
  await executor.close()

  const lost = server.grants.filter(({ endedBy }) => endedBy === "reuse").length
  const finding = {
    title: `SIGKILL while refreshing, and a server ${rotation === "strict" ? "without a grace" : "with a grace window of 30 s"}`,
    facts: [
      ["accounts", howMany],
      ["processes killed", kills],
      ["token requests", refreshes],
      ["refreshes that a kill cut off, before their request or after it", interrupted],
      ["grants lost: rotated by the server, and nobody left who knew the new token", lost],
      [
        "**of them, connections that say `rotation_lost`**",
        reasons.filter((reason) => reason === "rotation_lost").length,
      ],
      ["**connections that say anything else**", reasons.filter((reason) => reason !== "rotation_lost").length],
      ["**accounts usable at the end, those connected anew included**", usable],
    ],
  } as const
  must(reasons.length === lost && reasons.every((reason) => reason === "rotation_lost"), reasons.join(), finding)
  must(rotation === "strict" || lost === 0, "a grant was lost within the grace", finding)
  must(usable === howMany, "an account cannot be used", finding)
  return finding
}

const spawnWorker = async ({ store, provider }: Stage): Promise<ChildProcess> => {
  const child = fork(fileURLToPath(new URL("worker.ts", import.meta.url)), [String(howMany)], {
    serialization: "advanced",
    execArgv: ["--conditions=@keyward/source", "--disable-warning=ExperimentalWarning"],
  })
  serveRecords(child, store, provider)
  await new Promise<void>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`A worker ended with ${code} before it was killed.`)))
    child.on("message", (message: { readonly type: string }) => {
      if (message.type === "ready") resolve()
    })
  })
  return child
}

const keyOf = ({ executor, ref }: Account): ConnectionKey => ({
  ...ref,
  tenant: executor.identity.tenant,
  subject: ref.owner === "user" ? (executor.identity.subject ?? "") : "",
})

const rowOf = async (store: Store, account: Account): Promise<ConnectionRow> => {
  const row = await Effect.runPromise(store.connections.get(keyOf(account)))
  if (row === undefined) throw new Error(`${account.address} is gone.`)
  return row
}

/** Lets the row say that the access token has run out. */
const runOut = async (store: Store, account: Account): Promise<void> => {
  const row = await rowOf(store, account)
  const next = { ...row, expiresAt: Date.now() - 1, version: row.version + 1 }
  if (!(await Effect.runPromise(store.connections.put(next, row.version)))) throw new Error("Somebody else writes.")
}
