/** Eight workers, each replaced when it is killed, and what they said. */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import type { TokenRequestSeen } from "./AuthorizationServerMessages.ts"
import type { WorkerCode } from "./bundleWorker.ts"
import type { Random } from "./Random.ts"
import type { Stage } from "./Stage.ts"
import type { RowWritten, WorkerJob, WorkerMessage, WorkerOrder } from "./WorkerMessages.ts"

export const crewSize = 8

/** One process from its start to its end. */
export class Worker {
  readonly process: ChildProcess
  /** When it was stopped or killed, epoch milliseconds. */
  readonly hitAt: Array<number> = []
  /** When it went on after it was stopped. */
  readonly wokenAt: Array<number> = []
  /** When it wrote new tokens, by the connection's address. */
  readonly refreshed: Array<{ readonly connection: string; readonly at: number }> = []
  /** What it wrote to rows. */
  readonly wrote: Array<RowWritten> = []
  isReady = false
  /** When a call of it was last answered, as heard. */
  lastOkAt = 0

  constructor(child: ChildProcess) {
    this.process = child
  }

  order(order: WorkerOrder): void {
    if (this.process.connected) this.process.send(order)
  }

  kill(): void {
    this.hitAt.push(Date.now())
    this.process.kill("SIGKILL")
  }

  stop(): void {
    this.hitAt.push(Date.now())
    this.process.kill("SIGSTOP")
  }

  goOn(): void {
    this.wokenAt.push(Date.now())
    this.process.kill("SIGCONT")
  }
}

/** See the file's header. */
export class Crew implements AsyncDisposable {
  /** Outcomes of calls. */
  readonly outcomes = new Map<string, number>()
  readonly #random: Random
  readonly #stage: Stage
  readonly #everyMs: number
  readonly #code: WorkerCode
  readonly #workers: Array<Worker> = []
  /** Those that were killed too. */
  readonly everybody: Array<Worker> = []
  readonly #byPort = new Map<number, Array<{ readonly worker: Worker; readonly at: number }>>()
  #isOver = false

  constructor(
    random: Random,
    stage: Stage,
    { everyMs, code }: { readonly everyMs: number; readonly code: WorkerCode },
  ) {
    this.#random = random
    this.#stage = stage
    this.#everyMs = everyMs
    this.#code = code
  }

  /** Starts all of them; they call as soon as all can. */
  async start(): Promise<void> {
    for (let index = 0; index < crewSize; index += 1) this.#workers.push(this.#spawn(index))
    await Promise.all(this.#workers.map((worker) => this.#readied(worker)))
    for (const worker of this.#workers) worker.order("go")
  }

  /** Those that call, as opposed to those that are starting or stopped. */
  get atWork(): ReadonlyArray<Worker> {
    return this.#workers.filter(({ isReady, hitAt, wokenAt }) => isReady && hitAt.length === wokenAt.length)
  }

  get workers(): ReadonlyArray<Worker> {
    return this.#workers
  }

  /** Kills a worker and starts another in its place, which calls as soon as it can. */
  replace(worker: Worker): void {
    const index = this.#workers.indexOf(worker)
    worker.kill()
    const next = this.#spawn(index)
    this.#workers[index] = next
    void this.#readied(next).then(() => next.order("go"))
  }

  /** The worker that sent a request, by the port that it came from. */
  senderOf({ port, at }: TokenRequestSeen): Worker | undefined {
    // Ports are used again.
    return this.#byPort.get(port)?.findLast((connected) => connected.at <= at)?.worker
  }

  /** Lets everybody finish what is under way. */
  async finish(): Promise<void> {
    this.#isOver = true
    await Promise.all(
      this.#workers.map(async (worker) => {
        await this.#readied(worker)
        worker.order("go")
        const done = new Promise<void>((resolve) => {
          worker.process.once("exit", () => resolve())
          worker.process.on("message", (message: WorkerMessage) => {
            if (message.type === "done") resolve()
          })
        })
        worker.order("stop")
        await done
      }),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await Promise.all(
      this.#workers.map(async ({ process: child }) => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const ended = once(child, "exit")
        child.kill("SIGKILL")
        await ended
      }),
    )
  }

  #spawn(index: number): Worker {
    const job: WorkerJob = {
      stage: this.#stage,
      seed: this.#random.between(0, 2 ** 31),
      everyMs: this.#everyMs,
      keepsAlive: index < 2,
    }
    const child = fork(this.#code.program, [JSON.stringify(job)], {
      execArgv: ["--disable-warning=ExperimentalWarning"],
      env: { ...process.env, NODE_COMPILE_CACHE: this.#code.cache },
    })
    const worker = new Worker(child)
    this.everybody.push(worker)
    child.on("message", (message: WorkerMessage) => this.#heard(worker, message))
    child.once("exit", (code, signal) => {
      if (this.#isOver || worker.hitAt.length > worker.wokenAt.length) return
      const word = `failed: a worker ended with ${code ?? signal}`
      this.outcomes.set(word, (this.outcomes.get(word) ?? 0) + 1)
    })
    return worker
  }

  #heard(worker: Worker, message: WorkerMessage): void {
    switch (message.type) {
      case "ready":
        worker.isReady = true
        return
      case "connected": {
        const known = this.#byPort.get(message.port) ?? []
        this.#byPort.set(message.port, known)
        known.push({ worker, at: message.at })
        return
      }
      case "refreshed":
        worker.refreshed.push(message)
        return
      case "wrote":
        worker.wrote.push(message)
        return
      case "called":
        if (message.outcomes["ok"] !== undefined) worker.lastOkAt = Date.now()
        for (const [outcome, count] of Object.entries(message.outcomes)) {
          this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + count)
        }
        return
      case "done":
    }
  }

  async #readied(worker: Worker): Promise<void> {
    while (!worker.isReady && worker.process.exitCode === null && worker.process.signalCode === null) {
      await Promise.race([once(worker.process, "message"), once(worker.process, "exit")])
    }
  }
}
