/**
 * A child process that reads documents one after the other, replaced when it hangs or dies.
 */
import { type ChildProcess, fork } from "node:child_process"
import { type DocumentOutcome, emptyOutcome, type ReaderMessage } from "./outcome.ts"

/** See the file's header. */
export class Reader {
  readonly #script: URL
  readonly #silenceLimitMs: number
  #child: ChildProcess | undefined

  constructor(script: URL, silenceLimitMs: number) {
    this.#script = script
    this.#silenceLimitMs = silenceLimitMs
  }

  /** Reads one document; never rejects. */
  read(root: string, file: string): Promise<DocumentOutcome> {
    const child = (this.#child ??= fork(this.#script, {
      execArgv: ["--conditions=@keyward/source", "--max-old-space-size=3072"],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    }))
    const startedAt = performance.now()
    return new Promise((resolve) => {
      const finish = (outcome: DocumentOutcome): void => {
        clearTimeout(timer)
        child.removeAllListeners()
        if (outcome.ending === "timed out" || outcome.reason === processEnded) this.close()
        resolve(outcome)
      }
      const end = (ending: "crashed" | "timed out", reason: string): void =>
        finish(emptyOutcome(file, ending, reason, performance.now() - startedAt))
      const giveUp = (): void => end("timed out", `nothing happened for ${this.#silenceLimitMs} ms`)
      let timer = setTimeout(giveUp, this.#silenceLimitMs)
      child.on("message", (message: ReaderMessage) => {
        clearTimeout(timer)
        if (message === "progress") timer = setTimeout(giveUp, this.#silenceLimitMs)
        else finish(message)
      })
      child.once("exit", () => end("crashed", processEnded))
      child.send({ root, file })
    })
  }

  /** Ends the process. */
  close(): void {
    this.#child?.kill("SIGKILL")
    this.#child = undefined
  }
}

const processEnded = "the process ended"
