/**
 * Runs the 1Password CLI, once per call: no shell, a minimal environment, standard input closed, output capped, and the
 * whole process group killed when the time is up or the caller gives up.
 *
 * What `op` says stays here and with `opFailure`: its output may hold secrets, so no error repeats any of it.
 */
import { spawn } from "node:child_process"
import { access, constants, stat } from "node:fs/promises"
import { delimiter, isAbsolute, join, resolve } from "node:path"
import type { ProviderError } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { denied, timedOut, unavailable } from "./opFailure.ts"

/** How a finished `op` ended. */
interface OpOutcome {
  /** `null` when a signal ended it. */
  readonly exitCode: number | null
  readonly stdout: string
  /** The first 64 KiB. */
  readonly stderr: string
}

/** How to start `op`. */
export interface OpCliOptions {
  /** A name to find on PATH, or a path. */
  readonly command: string
  /** Handed to `op` in its environment, never in its arguments; `undefined` leaves what the host's environment says. */
  readonly serviceAccountToken: Redacted.Redacted | undefined
  /** Whether an explicitly named account must not be overruled by a service account of the host's environment. */
  readonly accountIsNamed: boolean
}

/** Runs `op` with these arguments for at most `limitMs` milliseconds. Any exit status is a success of the effect. */
export interface OpCli {
  run(args: ReadonlyArray<string>, limitMs: number): Effect.Effect<OpOutcome, ProviderError>
}

/** Makes the runner. The executable is looked up on PATH at the first call and remembered once it was found. */
export const makeOpCli = (options: OpCliOptions): OpCli => {
  let executable: string | undefined
  const turnToStart = spacedStarts()
  const locate = Effect.suspend(() =>
    executable === undefined
      ? Effect.tap(findExecutable(options.command), (found) => Effect.sync(() => (executable = found)))
      : Effect.succeed(executable),
  )
  return {
    run: (args, limitMs) =>
      Effect.gen(function* () {
        const path = yield* locate
        yield* turnToStart
        const running = runProcess(path, args, environment(options, process.env), limitMs)
        return yield* Effect.tapError(running, (failure) =>
          Effect.sync(() => {
            if (isMissing(failure)) executable = undefined
          }),
        )
      }),
  }
}

/**
 * Waits until no other process was started within the last 50 ms.
 *
 * Starting a process stops the event loop until the child runs, which takes 20 ms when others that were just started keep
 * the cores busy, and 4 ms when they are spaced.
 */
const spacedStarts = (): Effect.Effect<void> => {
  let nextStartAt = 0
  return Effect.callback<void>((resume) => {
    const now = performance.now()
    const startAt = Math.max(now, nextStartAt)
    nextStartAt = startAt + startSpacingMs
    if (startAt === now) return resume(Effect.void)
    const timer = setTimeout(() => resume(Effect.void), startAt - now)
    return Effect.sync(() => clearTimeout(timer))
  })
}

const startSpacingMs = 50

/** Whether `op` will not ask a person: a service account or a Connect server answers for it. */
export const isUnattended = (options: OpCliOptions): boolean => {
  const given = environment(options, process.env)
  return given["OP_SERVICE_ACCOUNT_TOKEN"] !== undefined || given["OP_CONNECT_TOKEN"] !== undefined
}

/** Whether a token can be handed over in an environment as it is: printable ASCII without space. */
export const isUsableToken = (token: Redacted.Redacted): boolean => /^[\x21-\x7e]+$/.test(Redacted.value(token))

const maximumOutputBytes = 16 * 1024 * 1024
const maximumErrorBytes = 64 * 1024

/** How long a finished `op` may leave its output open, as a cache daemon it started does, before it is cut off. */
const drainMs = 500

/**
 * What `op` may see of the host's environment. Left out on purpose: sessions (`OP_SESSION_*`, which when stale keep the
 * desktop app from being asked), `OP_DEBUG`, `OP_RUN_NO_MASKING`, `OP_INCLUDE_ARCHIVE`, and everything unknown.
 */
const inherited = [
  "HOME USER LOGNAME PATH TMPDIR LANG LC_ALL",
  "XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME XDG_RUNTIME_DIR",
  "DBUS_SESSION_BUS_ADDRESS DISPLAY WAYLAND_DISPLAY XAUTHORITY",
  "SystemRoot USERPROFILE APPDATA LOCALAPPDATA ProgramData TEMP TMP",
  "HTTPS_PROXY HTTP_PROXY NO_PROXY https_proxy http_proxy no_proxy SSL_CERT_FILE SSL_CERT_DIR",
  "OP_ACCOUNT OP_CONFIG_DIR OP_CACHE OP_BIOMETRIC_UNLOCK_ENABLED",
].flatMap((names) => names.split(" "))
const inheritedTokens = ["OP_SERVICE_ACCOUNT_TOKEN", "OP_CONNECT_HOST", "OP_CONNECT_TOKEN"]

const environment = (options: OpCliOptions, host: NodeJS.ProcessEnv): Record<string, string> => {
  const { serviceAccountToken, accountIsNamed } = options
  // A Connect server in the environment would take precedence over the token.
  const names = serviceAccountToken === undefined && !accountIsNamed ? [...inherited, ...inheritedTokens] : inherited
  return {
    ...Object.fromEntries(names.flatMap((name) => (host[name] ? [[name, host[name]]] : []))),
    ...(serviceAccountToken && { OP_SERVICE_ACCOUNT_TOKEN: Redacted.value(serviceAccountToken) }),
    OP_FORMAT: "json",
    NO_COLOR: "1",
  }
}

const isWindows = process.platform === "win32"

const findExecutable = (command: string): Effect.Effect<string, ProviderError> => {
  if (/[/\\]/.test(command)) return executableAt(resolve(command))
  const file = isWindows && !/\.exe$/i.test(command) ? `${command}.exe` : command
  // A relative entry of PATH would let the working directory choose the program that receives the token.
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter(isAbsolute)
  const candidates = folders.map((folder) => executableAt(join(folder, file)))
  const none: Effect.Effect<string, ProviderError> = Effect.fail(notInstalled(command))
  // The first that can be run wins, as in a shell.
  return candidates.reduceRight(
    (later, candidate) =>
      Effect.catch(candidate, (failure) =>
        Effect.mapError(later, (other) => (hasReason(failure, "not_executable") ? failure : other)),
      ),
    none,
  )
}

const executableAt = (path: string): Effect.Effect<string, ProviderError> =>
  Effect.tryPromise({
    try: async () => {
      await access(path, constants.X_OK)
      if (!(await stat(path)).isFile()) throw Object.assign(new Error(), { code: "ENOENT" })
      return path
    },
    catch: (thrown) => startFailure(path, thrown),
  })

const hasReason = (failure: ProviderError, reason: string): boolean =>
  failure._tag === "ProviderUnavailableError" && failure.reason === reason

const isMissing = (failure: ProviderError): boolean =>
  hasReason(failure, "not_installed") || hasReason(failure, "not_executable")

const notInstalled = (command: string): ProviderError =>
  unavailable(
    "not_installed",
    `The 1Password CLI ${JSON.stringify(command)} was not found. Install it (https://developer.1password.com/docs/cli/get-started) or pass its path as \`command\`.`,
  )

const startFailure = (path: string, thrown: unknown): ProviderError => {
  switch ((thrown as NodeJS.ErrnoException | undefined)?.code) {
    case "ENOENT":
    case "ENOTDIR":
      return notInstalled(path)
    case "EACCES":
    case "EPERM":
    case "ENOEXEC":
      return unavailable(
        "not_executable",
        `${JSON.stringify(path)} cannot be run. Make it executable (chmod +x), or pass the path of the 1Password CLI as \`command\`.`,
      )
    default:
      return unavailable("failed", `${JSON.stringify(path)} could not be started. Try to run it in a terminal.`)
  }
}

const runProcess = (
  path: string,
  args: ReadonlyArray<string>,
  env: Record<string, string>,
  limitMs: number,
): Effect.Effect<OpOutcome, ProviderError> =>
  Effect.callback((resume) => {
    // `detached` makes the child lead a process group of its own, so that what it starts can be killed with it.
    const child = spawn(path, args, {
      shell: false,
      detached: !isWindows,
      windowsHide: true,
      stdio: ["ignore", "pipe", "pipe"],
      env,
    })
    const stdout: Array<Buffer> = []
    const stderr: Array<Buffer> = []
    let stdoutBytes = 0
    let stderrBytes = 0
    let isSettled = false
    let drain: NodeJS.Timeout | undefined

    const settle = (result: Effect.Effect<OpOutcome, ProviderError>): void => {
      if (isSettled) return
      isSettled = true
      clearTimeout(limit)
      clearTimeout(drain)
      child.stdout.destroy()
      child.stderr.destroy()
      for (const chunk of stdout) chunk.fill(0)
      resume(result)
    }
    const kill = (): void => {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
      try {
        if (isWindows) child.kill("SIGKILL")
        else process.kill(-child.pid, "SIGKILL")
      } catch {
        // It ended by itself in the meantime.
      }
    }
    const finish = (): void =>
      settle(
        Effect.succeed({
          exitCode: child.exitCode,
          stdout: Buffer.concat(stdout).toString("utf8"),
          stderr: Buffer.concat(stderr).toString("utf8"),
        }),
      )
    const limit = setTimeout(() => {
      kill()
      settle(Effect.fail(timedOut(limitMs)))
    }, limitMs)

    child.stdout.on("data", (chunk: Buffer) => {
      stdoutBytes += chunk.length
      stdout.push(chunk)
      if (stdoutBytes <= maximumOutputBytes) return
      kill()
      settle(
        Effect.fail(
          denied(
            "output_too_large",
            "`op` printed more than 16 MiB. Keep the secret in a smaller item, without attachments.",
          ),
        ),
      )
    })
    child.stderr.on("data", (chunk: Buffer) => {
      if (stderrBytes < maximumErrorBytes) stderr.push(chunk.subarray(0, maximumErrorBytes - stderrBytes))
      stderrBytes += chunk.length
    })
    child.on("error", (thrown) => settle(Effect.fail(startFailure(path, thrown))))
    child.on("exit", () => {
      drain = setTimeout(finish, drainMs)
    })
    child.on("close", finish)

    return Effect.sync(() => {
      kill()
      settle(Effect.interrupt)
    })
  })
