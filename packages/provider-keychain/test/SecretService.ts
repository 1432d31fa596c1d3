/**
 * A real Secret Service for tests: GNOME Keyring on a D-Bus of its own, with its own home, started through
 * `dbus-run-session` in a child process that ends with this one, however this one ends.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { createInterface } from "node:readline"
import { describe } from "vitest"

const runSession = "dbus-run-session"
const secretTool = "secret-tool"

/** The Debian packages it needs, and one program of each. */
const packages = new Map([
  ["dbus", runSession],
  ["gnome-keyring", "gnome-keyring-daemon"],
  ["libsecret-tools", secretTool],
])

const isOnPath = (program: string): boolean =>
  (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })

/** The packages that are missing on this machine; none means that a Secret Service can be started. */
export const missingPackages = (): ReadonlyArray<string> =>
  [...packages].flatMap(([name, program]) => (isOnPath(program) ? [] : [name]))

/** Describes tests that need a Secret Service. Where none can be started they do not exist, rather than being skipped. */
export const describeWithSecretService: (name: string, tests: () => void) => void =
  missingPackages().length === 0 ? describe : () => {}

/** One running Secret Service. */
export class SecretService implements AsyncDisposable {
  /** What a process needs in its environment to find it. */
  readonly environment: Readonly<Record<string, string>>
  readonly #session: ChildProcess
  readonly #daemon: number
  readonly #home: string

  private constructor(session: ChildProcess, home: string, address: string, daemon: number) {
    this.environment = { DBUS_SESSION_BUS_ADDRESS: address, HOME: home, XDG_RUNTIME_DIR: home }
    this.#session = session
    this.#daemon = daemon
    this.#home = home
  }

  /** Starts one with an unlocked, empty login keyring. */
  static start(): Promise<SecretService> {
    return SecretService.#start(mkdtempSync(join(tmpdir(), "keyward-keyring-")), "--unlock <<<''")
  }

  /** Starts one that finds the keyring of a former one and nobody who unlocks it. */
  static startLocked(former: SecretService): Promise<SecretService> {
    return SecretService.#start(former.#home, "</dev/null")
  }

  static async #start(home: string, unlock: string): Promise<SecretService> {
    // Asked before the daemon has its name on the bus, the bus would start another one, which nobody unlocks.
    const script = `
      call() { dbus-send --session --print-reply "$@" 2>/dev/null; }
      is_named() { call --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets | grep -q true; }
      has_default() { call --dest=org.freedesktop.secrets /org/freedesktop/secrets org.freedesktop.Secret.Service.ReadAlias string:default | grep -q collection; }
      gnome-keyring-daemon --foreground --components=secrets ${unlock} >/dev/null 2>&1 &
      until is_named && has_default; do kill -0 $! || exit 1; sleep 0.05; done
      echo "$DBUS_SESSION_BUS_ADDRESS $!"
      read -r
      kill -KILL $!`
    const session = spawn(runSession, ["--", "bash", "-c", script], {
      stdio: ["pipe", "pipe", "ignore"],
      env: { PATH: process.env["PATH"], HOME: home, XDG_RUNTIME_DIR: home },
    })
    const lines = createInterface({ input: session.stdout })
    const line = await new Promise<string>((resolve, reject) => {
      lines.once("line", resolve)
      session.once("error", reject)
      session.once("close", (status) => reject(new Error(`The Secret Service ended with status ${status}.`)))
    })
    const [address = "", daemon = ""] = line.split(" ")
    return new SecretService(session, home, address, Number(daemon))
  }

  /** Looks at the keyring, or changes it, the way another program does. Text goes in and out as Latin-1, byte by byte. */
  secretTool(args: ReadonlyArray<string>, input = ""): string {
    return execFileSync(secretTool, args, {
      input,
      encoding: "latin1",
      env: { PATH: process.env["PATH"], ...this.environment },
      stdio: ["pipe", "pipe", "ignore"],
    })
  }

  /** From now on the service does not answer. */
  stop(): void {
    process.kill(this.#daemon, "SIGSTOP")
  }

  /** Ends {@link SecretService.stop}. */
  continue(): void {
    process.kill(this.#daemon, "SIGCONT")
  }

  /** Ends the service and leaves its keyring where it is, for {@link SecretService.startLocked}. */
  async end(): Promise<void> {
    const closed = new Promise((resolve) => this.#session.once("close", resolve))
    this.continue()
    this.#session.stdin?.end("\n")
    await closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end()
    rmSync(this.#home, { recursive: true, force: true })
  }
}
