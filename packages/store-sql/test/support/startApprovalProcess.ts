/** Starts `approvalProcess.ts`, and speaks with it: one message, one answer. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import type { ApprovalPlace } from "./approvals.ts"

/** It ends with the test. */
export const startApprovalProcess = async (place: ApprovalPlace) => {
  const child = fork(join(import.meta.dirname, "approvalProcess.ts"), [JSON.stringify(place)], {
    execArgv: ["--conditions=@keyward/source", "--disable-warning=ExperimentalWarning"],
    env: { ...process.env, NODE_OPTIONS: "" },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  })
  const ended = once(child, "exit")
  const answer = async (): Promise<ReadonlyArray<string>> => {
    const [message] = (await Promise.race([
      once(child, "message"),
      ended.then(() => {
        throw new Error("The process ended.")
      }),
    ])) as [ReadonlyArray<string>]
    return message
  }
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL")
    await ended
  }
  onTestFinished(kill)
  await answer()
  return {
    kill,
    call: (args: unknown, times = 1) => {
      const answered = answer()
      child.send({ args, times })
      return answered
    },
  }
}
