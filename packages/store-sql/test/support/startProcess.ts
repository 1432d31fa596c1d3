/** Starts `otherProcess.ts`, and speaks with it: one message, one answer. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import type { ProcessJob, ProcessMessage } from "./ProcessMessage.ts"

export interface OtherProcess {
  /** What it answers; rejects with what went wrong there. */
  ask(message: ProcessMessage): Promise<unknown>
  signal(name: "SIGSTOP" | "SIGCONT"): void
  /** Ends it as a crash would. */
  kill(): Promise<void>
}

/** It ends with the test. */
export const startProcess = async (job: ProcessJob): Promise<OtherProcess> => {
  const child = fork(join(import.meta.dirname, "otherProcess.ts"), [JSON.stringify(job)], {
    execArgv: ["--conditions=@keyward/source"],
    env: { ...process.env, NODE_OPTIONS: "" },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  })
  const complaints: Array<Buffer> = []
  child.stderr?.on("data", (piece: Buffer) => complaints.push(piece))
  const ended = once(child, "exit")
  const nextAnswer = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error(`The process ended: ${Buffer.concat(complaints).toString()}`))
      child.once("exit", gone)
      child.once("message", (message: { readonly value?: unknown; readonly error?: string }) => {
        child.off("exit", gone)
        if (message.error === undefined) resolve(message.value)
        else reject(new Error(message.error))
      })
    })
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL")
    await ended
  }
  onTestFinished(kill)
  await nextAnswer()
  return {
    ask: (message) => {
      const answer = nextAnswer()
      child.send(message)
      return answer
    },
    signal: (name) => void child.kill(name),
    kill,
  }
}
