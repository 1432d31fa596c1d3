/** One of the processes: calls every account again and again until it is told to stop, or killed. Spawned by `Crew.ts`. */
import { subscribe } from "node:diagnostics_channel"
import { flushCompileCache } from "node:module"
import type { Socket } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import { StoreUnavailableError } from "@keyward/core"
import { Random } from "./Random.ts"
import { addressOf, openExecutor, openStore, refsOf } from "./Stage.ts"
import { watchedStore } from "./watchedStore.ts"
import type { WorkerJob, WorkerMessage, WorkerOrder } from "./WorkerMessages.ts"

const { stage, seed, everyMs, keepsAlive } = JSON.parse(process.argv[2] ?? "{}") as WorkerJob
const random = new Random(seed)
const send = (message: WorkerMessage): void => void process.send?.(message)

// Tells the server's log of requests whose they were.
subscribe("net.client.socket", (message) => {
  const { socket } = message as { readonly socket: Socket }
  socket.once("connect", () => send({ type: "connected", port: socket.localPort ?? 0, at: Date.now() }))
})

const store = openStore(stage)
const watched = watchedStore(store, (written) => send({ type: "wrote", ...written }))
const executor = await openExecutor(stage, { store, seenAs: watched }, (event) => {
  if (event.type === "credential.refreshed") send({ type: "refreshed", connection: event.connection, at: event.at })
})

let outcomes: Record<string, number> = {}
let isFirst = true
const tell = (): void => {
  if (Object.keys(outcomes).length > 0) send({ type: "called", outcomes })
  outcomes = {}
}

const stopping = new AbortController()
const callSteadily = async (address: string): Promise<void> => {
  await delay(random.next() * everyMs)
  while (!stopping.signal.aborted) {
    const word = await call(address)
    outcomes[word] = (outcomes[word] ?? 0) + 1
    await delay(everyMs * (0.5 + random.next()))
  }
}

const call = async (address: string): Promise<string> => {
  try {
    const result = await executor.execute(address, {})
    if (result.ok) {
      // Node does so when a process ends, and these are killed.
      if (isFirst) flushCompileCache()
      isFirst = false
      return "ok"
    }
    const { code, message, retryable } = result.error
    // The message names the account, and the reason in parentheses.
    return `${retryable ? "again" : "failed"}: ${code} ${/\(\w+\)/.exec(message)?.[0] ?? ""}`
  } catch (error) {
    if (error instanceof StoreUnavailableError) return `again: the store is unavailable (${error.reason})`
    return `failed: ${error instanceof Error ? error.name : "a defect"}`
  }
}

let isBegun = false
const work = async (): Promise<void> => {
  if (isBegun) return
  isBegun = true
  const telling = setInterval(tell, 100)
  if (keepsAlive) executor.oauth.keepAlive({ everyMs: 200 })
  await Promise.all(refsOf(stage).map((ref) => callSteadily(addressOf(ref))))
  await executor.close()
  clearInterval(telling)
  tell()
  send({ type: "done" })
}

process.on("message", (order: WorkerOrder) => {
  if (order === "go") void work()
  else stopping.abort()
})
process.on("disconnect", () => process.exit())
send({ type: "ready" })
