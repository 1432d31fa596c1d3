/**
 * A server that is a local command: started without a shell, in a process group of its own, with no more of the environment than it is
 * given, and ended with everything that it started.
 *
 * Speaks MCP over stdin and stdout, a message a line. What it writes to stderr is thrown away: it may hold anything, also the credential.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { setTimeout as delay } from "node:timers/promises"
import {
  type JSONRPCMessage,
  ReadBuffer,
  SdkError,
  SdkErrorCode,
  serializeMessage,
  type Transport,
} from "@modelcontextprotocol/client"
import type { StdioServer } from "../server/McpConfig.ts"

/** Limits of a process. */
export interface ProcessLimits {
  /** The largest message that it may write, in bytes. */
  readonly maxMessageBytes: number
}

/** What of the host's environment a process gets: what programs need to run, and nothing that could be a secret. */
const safeVariables =
  process.platform === "win32"
    ? [
        "APPDATA",
        "COMSPEC",
        "HOMEDRIVE",
        "HOMEPATH",
        "LOCALAPPDATA",
        "PATH",
        "PATHEXT",
        "PROGRAMDATA",
        "PROGRAMFILES",
      ].concat(["SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "TMP", "USERNAME", "USERPROFILE", "WINDIR"])
    : ["HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"]

/** How long a process has to end by itself once its stdin is closed, and again after it was asked to. */
const graceMs = 1000

/** See the file's header. */
export class ProcessTransport implements Transport {
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: (message: JSONRPCMessage) => void
  /** With `pid`, what the client knows a local command by; what it writes there is not kept. */
  readonly stderr = null
  readonly #server: StdioServer
  readonly #environment: Readonly<Record<string, string>>
  readonly #buffer: ReadBuffer
  #process: ChildProcess | undefined
  #isOver = false

  constructor(server: StdioServer, environment: Readonly<Record<string, string>>, { maxMessageBytes }: ProcessLimits) {
    this.#server = server
    this.#environment = environment
    this.#buffer = new ReadBuffer({ maxBufferSize: maxMessageBytes })
  }

  /** The process's id while it runs. */
  get pid(): number | null {
    return this.#isOver ? null : (this.#process?.pid ?? null)
  }

  async start(): Promise<void> {
    if (this.#process !== undefined) throw new Error("The process was started already.")
    watchExit()
    const { command, args, env, cwd } = this.#server
    const child = spawn(command, [...args], {
      env: { ...safeEnvironment(), ...env, ...this.#environment },
      stdio: ["pipe", "pipe", "ignore"],
      shell: false,
      // A group of its own, so that what it starts can be ended with it.
      detached: process.platform !== "win32",
      windowsHide: true,
      ...(cwd === null ? {} : { cwd }),
    })
    this.#process = child
    running.add(child)
    child.stdin?.on("error", () => undefined)
    child.stdout?.on("data", (chunk: Buffer) => this.#read(chunk))
    child.once("exit", () => this.#end())
    try {
      await once(child, "spawn")
    } catch (error) {
      this.#isOver = true
      running.delete(child)
      throw error
    }
    // From here on an error is that of a signal that could not be sent.
    child.on("error", () => undefined)
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const stdin = this.#process?.stdin
    if (this.#isOver || stdin === null || stdin === undefined || !stdin.writable) {
      throw new SdkError(SdkErrorCode.NotConnected, "The process has ended.")
    }
    if (!stdin.write(serializeMessage(message))) await Promise.race([once(stdin, "drain"), once(stdin, "close")])
  }

  async close(): Promise<void> {
    const child = this.#process
    if (child?.pid === undefined) return
    child.stdin?.end()
    // The process may be gone while something that it started is still there.
    if (!(await isOver(child, graceMs))) {
      signalGroup(child, "SIGTERM")
      await isOver(child, graceMs)
    }
    signalGroup(child, "SIGKILL")
    child.stdout?.destroy()
    this.#end()
  }

  #read(chunk: Buffer): void {
    try {
      this.#buffer.append(chunk)
    } catch {
      // More than a message may hold: whatever follows cannot be read either.
      this.onerror?.(new Error("The process wrote a message that is too large."))
      void this.close()
      return
    }
    for (;;) {
      try {
        const message = this.#buffer.readMessage()
        if (message === null) return
        this.onmessage?.(message)
      } catch {
        // A line that is no message, as of a program that greets on stdout.
        this.onerror?.(new Error("The process wrote a line that is no message."))
      }
    }
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#buffer.clear()
    if (this.#process !== undefined) {
      signalGroup(this.#process, "SIGKILL")
      running.delete(this.#process)
    }
    this.onclose?.()
  }
}

/** Ended with the host, also where that ends without closing the executor; a group of its own hears nothing of it otherwise. */
const running = new Set<ChildProcess>()

let isWatchingExit = false

const watchExit = (): void => {
  if (isWatchingExit) return
  isWatchingExit = true
  process.once("exit", () => {
    for (const child of running) signalGroup(child, "SIGKILL")
  })
}

const safeEnvironment = (): Record<string, string> => {
  const environment: Record<string, string> = {}
  for (const name of safeVariables) {
    const value = process.env[name]
    // Shells export functions so.
    if (value !== undefined && !value.startsWith("()")) environment[name] = value
  }
  return environment
}

const isOver = async (child: ChildProcess, withinMs: number): Promise<boolean> => {
  if (child.exitCode !== null || child.signalCode !== null) return true
  const waiting = new AbortController()
  const { signal } = waiting
  const exited = once(child, "exit", { signal }).then(() => true)
  const late = delay(withinMs, false, { signal, ref: false })
  try {
    return await Promise.race([exited, late])
  } finally {
    waiting.abort()
    exited.catch(() => undefined)
    late.catch(() => undefined)
  }
}

const signalGroup = (child: ChildProcess, signal: NodeJS.Signals): void => {
  const { pid } = child
  if (pid === undefined) return
  try {
    if (process.platform === "win32") child.kill(signal)
    else process.kill(-pid, signal)
  } catch {
    // Nobody is left in the group.
  }
}
