/** Starts `keeperProcess.ts`, and remembers what it says. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import type { KeeperJob } from "./keeping.ts"

export interface Keeper {
  /** The addresses of what it refreshed, in order. */
  readonly refreshed: ReadonlyArray<string>
  /** Ends it as a crash would. */
  kill(): Promise<void>
}

/** It ends with the test. */
export const startKeeper = async (job: KeeperJob): Promise<Keeper> => {
  const child = fork(join(import.meta.dirname, "keeperProcess.ts"), [JSON.stringify(job)], {
    execArgv: ["--conditions=@keyward/source", "--disable-warning=ExperimentalWarning"],
    env: { ...process.env, NODE_OPTIONS: "" },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  })
  const ended = once(child, "exit")
  const refreshed: Array<string> = []
  const begun = Promise.withResolvers<void>()
  child.on("message", (address: string | null) => {
    if (address === null) begun.resolve()
    else refreshed.push(address)
  })
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL")
    await ended
  }
  onTestFinished(kill)
  await Promise.race([begun.promise, ended.then(() => Promise.reject(new Error("The process ended.")))])
  return { refreshed, kill }
}
