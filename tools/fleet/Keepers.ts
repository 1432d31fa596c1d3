/** Processes that keep the accounts alive, as the run sees them. */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { Place } from "./Accounts.ts"
import type { Done } from "./keeperProcess.ts"

/** See the file's header. */
export class Keepers implements AsyncDisposable {
  readonly #children: ReadonlyArray<ChildProcess>
  readonly #done: Array<Done>
  #progress = Promise.withResolvers<void>()

  private constructor(children: ReadonlyArray<ChildProcess>) {
    this.#children = children
    this.#done = children.map(() => ({ refreshed: 0, statements: 0, cpuMs: 0 }))
    for (const [index, child] of children.entries()) {
      child.on("message", (done: Done) => {
        this.#done[index] = done
        this.#progress.resolve()
        this.#progress = Promise.withResolvers()
      })
    }
  }

  /** Starts so many; they wait for `begin`. */
  static async start(place: Place, processes: number): Promise<Keepers> {
    const program = fileURLToPath(new URL("keeperProcess.ts", import.meta.url))
    const children = Array.from({ length: processes }, () =>
      fork(program, [JSON.stringify(place)], {
        execArgv: ["--conditions=@keyward/source", "--disable-warning=ExperimentalWarning"],
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      }),
    )
    await Promise.all(children.map((child) => once(child, "message")))
    return new Keepers(children)
  }

  begin(): void {
    for (const child of this.#children) child.send("begin")
  }

  /** Resolves when together they have refreshed so many. */
  async until(refreshed: number): Promise<void> {
    while (this.total("refreshed") < refreshed) await this.#progress.promise
  }

  /** What each has done. */
  get each(): ReadonlyArray<Done> {
    return this.#done
  }

  /** What they have done together. */
  total(what: keyof Done): number {
    return this.#done.reduce((sum, done) => sum + done[what], 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#children.map((child) => {
        const ended = once(child, "exit")
        child.kill("SIGKILL")
        return ended
      }),
    )
  }
}
