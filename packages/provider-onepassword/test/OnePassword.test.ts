/** What is special about 1Password, over real processes: what `op` is told, how often it is asked, and what its answers mean. */
import { execFileSync } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { it as itEffect } from "@effect/vitest"
import { InvalidProviderOptionsError } from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { afterEach, describe, expect, it, vi } from "vitest"
import { type OnePasswordOptions, type OnePasswordProvider, onePasswordProvider } from "../src/index.ts"
import { agents, type FakeAccount, FakeOp, type FakeVault, itemId, loginItem } from "./fake-op/FakeOp.ts"
import { recordedFailures } from "./recordedFailures.ts"

const token = "ops_eyJzaWduSW5BZGRyZXNzIjoiYWNtZS4xcGFzc3dvcmQuY29tIn0"
const others: FakeVault = { id: "yhdg6ovhkjcfhn3u25cp2bnl6e", name: "Others" }
const github = loginItem("GitHub", "s3cr3t of GitHub")
const gitlab = loginItem("GitLab", "s3cr3t of GitLab")
const elsewhere = loginItem("Elsewhere", "s3cr3t of others", { vault: others })

const opened: Array<{ readonly op: FakeOp; readonly provider: OnePasswordProvider }> = []

/** A fake account with a provider on it, closed after the test; unattended unless told otherwise. */
const setUp = (account: Partial<FakeAccount> = {}, options: OnePasswordOptions = {}) => {
  const op = new FakeOp({ vaults: [agents, others], items: [github, gitlab, elsewhere], ...account })
  const provider = onePasswordProvider({ command: op.command, serviceAccountToken: token, ...options })
  opened.push({ op, provider })
  return { op, provider }
}

/** One on which every process may ask a person. */
const setUpAttended = (account: Partial<FakeAccount> = {}, options: OnePasswordOptions = {}) =>
  setUp(account, { serviceAccountToken: undefined, ...options })

afterEach(async () => {
  vi.unstubAllEnvs()
  for (const { op, provider } of opened.splice(0)) {
    await Effect.runPromise(provider.close?.() ?? Effect.void)
    op[Symbol.dispose]()
  }
})

const read = async (provider: OnePasswordProvider, id: string): Promise<string | undefined> => {
  const value = await Effect.runPromise(provider.get(id))
  return value && Redacted.value(value)
}

const failureOf = async (provider: OnePasswordProvider, id: string) => {
  const exit = await Effect.runPromiseExit(provider.get(id))
  if (Exit.isSuccess(exit)) return expect.fail(`get(${id}) succeeded`)
  const failure = exit.cause.reasons.find(Cause.isFailReason)
  return failure?.error ?? expect.fail(Cause.pretty(exit.cause))
}

const itemReads = (op: FakeOp) => op.journal().filter(({ argv }) => argv[0] === "item" && argv[1] === "get")

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const until = (condition: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 10_000 })

describe("what op is told", () => {
  it("names the item after a double dash and the vault as an option", async () => {
    const { op, provider } = setUp()
    expect(await read(provider, "op://Agents/GitHub/password")).toBe("s3cr3t of GitHub")
    expect(op.journal().map(({ argv }) => argv)).toEqual([
      ["item", "get", "--vault", "Agents", "--format", "json", "--no-color", "--", "GitHub"],
    ])
  })

  it("names the account when one is given", async () => {
    const { op, provider } = setUp({}, { account: "acme.1password.com" })
    await read(provider, "op://Agents/GitHub/password")
    expect(op.journal()[0]?.argv.join(" ")).toContain("--account acme.1password.com")
  })

  it("holds the token in its environment and neither the token nor a secret in its arguments", async () => {
    const { op, provider } = setUp({}, { serviceAccountToken: Redacted.make(token) })
    await read(provider, "op://Agents/GitHub/password")
    await Effect.runPromise(provider.list?.() ?? Effect.void)
    for (const { argv, env } of op.journal()) {
      expect(env["OP_SERVICE_ACCOUNT_TOKEN"]).toBe(token)
      new CanaryScanner([token, "s3cr3t of GitHub"]).expectNone(argv, "the arguments")
    }
  })

  it("holds nothing in its environment that it does not need", async () => {
    const unwanted = {
      AWS_SECRET_ACCESS_KEY: "unwanted",
      NODE_OPTIONS: "",
      OP_SESSION: "stale",
      OP_SESSION_acme: "stale",
      OP_DEBUG: "true",
      OP_RUN_NO_MASKING: "true",
      OP_INCLUDE_ARCHIVE: "true",
      OP_CONNECT_HOST: "http://127.0.0.1:1",
      OP_CONNECT_TOKEN: "another token",
    }
    for (const [name, value] of Object.entries(unwanted)) vi.stubEnv(name, value)
    vi.stubEnv("OP_CONFIG_DIR", "/etc/op")
    const { op, provider } = setUp()
    await read(provider, "op://Agents/GitHub/password")
    const env = op.journal()[0]?.env ?? {}
    expect(Object.keys(env).filter((name) => name in unwanted)).toEqual([])
    expect(env).toMatchObject({ OP_FORMAT: "json", NO_COLOR: "1", OP_CONFIG_DIR: "/etc/op", PATH: process.env["PATH"] })
    const known =
      /^(PATH|HOME|USER|LOGNAME|TMPDIR|LANG|LC_ALL|XDG_\w+|DBUS_SESSION_BUS_ADDRESS|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|\w+_proxy|\w+_PROXY|SSL_CERT_\w+|NO_COLOR|__CF_USER_TEXT_ENCODING|OP_(FORMAT|CONFIG_DIR|SERVICE_ACCOUNT_TOKEN|ACCOUNT|CACHE|BIOMETRIC_UNLOCK_ENABLED))$/
    expect(Object.keys(env).filter((name) => !known.test(name))).toEqual([])
  })

  it("holds the host's own token or Connect server where none is given", async () => {
    vi.stubEnv("OP_SERVICE_ACCOUNT_TOKEN", "ops_of_the_host")
    vi.stubEnv("OP_CONNECT_HOST", "http://127.0.0.1:1")
    const { op, provider } = setUpAttended()
    await read(provider, "op://Agents/GitHub/password")
    expect(op.journal()[0]?.env).toMatchObject({
      OP_SERVICE_ACCOUNT_TOKEN: "ops_of_the_host",
      OP_CONNECT_HOST: "http://127.0.0.1:1",
    })
  })

  it("leaves the host's own token out when an account is named", async () => {
    vi.stubEnv("OP_SERVICE_ACCOUNT_TOKEN", "ops_of_the_host")
    const { op, provider } = setUpAttended({}, { account: "acme.1password.com" })
    await read(provider, "op://Agents/GitHub/password")
    expect(op.journal()[0]?.env).not.toHaveProperty("OP_SERVICE_ACCOUNT_TOKEN")
  })

  it("finds its standard input closed", async () => {
    const { op, provider } = setUp()
    await read(provider, "op://Agents/GitHub/password")
    expect(op.journal()[0]).toMatchObject({ stdin: "character device", stdinText: "" })
  })

  it.each([
    { account: "--help" },
    { account: "" },
    { vaults: [] },
    { vaults: ["-rf"] },
    { vaults: ["a\0b"] },
    { vaults: ["\ud800"] },
    { command: "" },
    { command: "--version" },
    { serviceAccountToken: "" },
    { serviceAccountToken: "ops_a\nb" },
    { timeoutMs: 0 },
    { timeoutMs: Number.NaN },
    { unlockTimeoutMs: -1 },
    { cache: { lifetimeMs: Number.POSITIVE_INFINITY } },
  ] satisfies ReadonlyArray<OnePasswordOptions>)("is never started with options like %j", (options) => {
    expect(() => onePasswordProvider(options)).toThrow(InvalidProviderOptionsError)
  })
})

describe("finding op", () => {
  const folders: Array<string> = []
  const folder = (): string => {
    const made = mkdtempSync(join(tmpdir(), "keyward-path-"))
    folders.push(made)
    return made
  }
  afterEach(() => {
    for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true })
  })

  it("takes the first on PATH that can be run, whatever lies before it", async () => {
    const op = new FakeOp({ items: [github] })
    const [withFolder, withFile] = [folder(), folder()]
    mkdirSync(join(withFolder, "op"))
    writeFileSync(join(withFile, "op"), "not a program")
    vi.stubEnv("PATH", ["", ".", withFolder, withFile, op.folder, process.env["PATH"]].join(delimiter))
    const provider = onePasswordProvider()
    opened.push({ op, provider })
    expect(await read(provider, "op://Agents/GitHub/password")).toBe("s3cr3t of GitHub")
  })

  it("ignores entries of PATH that depend on the working directory", async () => {
    const op = new FakeOp({ items: [github] })
    vi.stubEnv("PATH", ["..", "."].join(delimiter))
    vi.spyOn(process, "cwd").mockReturnValue(op.folder)
    const provider = onePasswordProvider()
    opened.push({ op, provider })
    expect(await failureOf(provider, "op://Agents/GitHub/password")).toMatchObject({ reason: "not_installed" })
    vi.restoreAllMocks()
  })

  it("says that it is not installed, and finds it once it is", async () => {
    const op = new FakeOp({ items: [github] })
    const path = folder()
    vi.stubEnv("PATH", [path, dirname(process.execPath)].join(delimiter))
    const provider = onePasswordProvider()
    opened.push({ op, provider })
    const failure = await failureOf(provider, "op://Agents/GitHub/password")
    expect(failure).toMatchObject({ _tag: "ProviderUnavailableError", reason: "not_installed" })
    expect(failure.message).toContain("Install it")
    symlinkSync(op.command, join(path, "op"))
    writeFileSync(join(path, "account.json"), JSON.stringify({ vaults: [agents], items: [github], rules: [] }))
    symlinkSync(dirname(process.execPath), join(path, "bin"))
    expect(await read(provider, "op://Agents/GitHub/password")).toBe("s3cr3t of GitHub")
  })

  it("says that a path leads to nothing", async () => {
    const { provider } = setUp({}, { command: join(folder(), "op") })
    expect(await failureOf(provider, "op://Agents/GitHub/password")).toMatchObject({ reason: "not_installed" })
  })

  it("says that a file cannot be executed", async () => {
    const path = join(folder(), "op")
    writeFileSync(path, "#!/bin/sh\n")
    chmodSync(path, 0o644)
    const { provider } = setUp({}, { command: path })
    const failure = await failureOf(provider, "op://Agents/GitHub/password")
    expect(failure).toMatchObject({ _tag: "ProviderUnavailableError", reason: "not_executable" })
    expect(failure.message).toContain("chmod +x")
  })

  it("says that a version is too old", async () => {
    const { op, provider } = setUpAttended({
      version: "1.12.9",
      rules: [{ when: ["item"], exit: 1, stderr: '[ERROR] 2026/11/20 12:00:00 unknown command "item" for "op"\n' }],
    })
    const failure = await failureOf(provider, "op://Agents/GitHub/password")
    expect(failure).toMatchObject({ _tag: "ProviderDeniedError", reason: "too_old" })
    expect(failure.message).toMatch(/1\.12.*2\.18/)
    expect(op.journal().map(({ argv }) => argv[0])).toEqual(["item", "--version"])
  })

  it("says that a version does not know service accounts", async () => {
    const { provider } = setUp({
      version: "2.17.0",
      rules: [{ when: ["item"], exit: 1, stderr: "[ERROR] 2026/11/20 12:00:00 You are not currently signed in.\n" }],
    })
    expect(await failureOf(provider, "op://Agents/GitHub/password")).toMatchObject({ reason: "too_old" })
  })

  it("does not mind a version that is yet to come", async () => {
    const { provider } = setUp({ version: "3.0.1" })
    expect(await read(provider, "op://Agents/GitHub/password")).toBe("s3cr3t of GitHub")
  })
})

describe("how op ends", () => {
  it.each(recordedFailures)("says so when $situation", async ({ exit, stderr, tag, reason, retryAfterMs }) => {
    const { provider } = setUp({ rules: [{ when: ["item"], exit, stderr }] })
    const failure = await failureOf(provider, "op://Agents/GitHub/password")
    expect(failure).toMatchObject({ _tag: tag, provider: "1password", reason })
    expect(failure).toHaveProperty("nextStep", expect.stringMatching(/^[A-Z1`"].{20,}\.$/s))
    expect("retryAfterMs" in failure ? failure.retryAfterMs : undefined).toBe(retryAfterMs)
  })

  it.each(recordedFailures)("names neither token nor secret when $situation", async ({ exit, stderr }) => {
    const secret = canary("stored")
    const { op, provider } = setUp({
      items: [loginItem("GitHub", secret)],
      rules: [
        { when: ["item"], exit, stderr: `[WARN] ${token} ${secret}\n${stderr}${token} ${secret}\n`, stdout: secret },
      ],
    })
    const exitOfGet = await Effect.runPromiseExit(provider.get("op://Agents/GitHub/password"))
    const exitOfList = await Effect.runPromiseExit(provider.list?.() ?? Effect.void)
    const scanner = new CanaryScanner([token, secret])
    scanner.expectNone(exitOfGet, "the exit of get()")
    scanner.expectNone(exitOfList, "the exit of list()")
    scanner.expectNone(provider, "the provider")
    expect(Exit.isFailure(exitOfGet)).toBe(true)
    expect(op.journal()).not.toEqual([])
  })

  it("is not misled by an item that is called like a message", async () => {
    const { provider } = setUp()
    for (const title of [
      "too many requests",
      "locked",
      "not signed in",
      "session expired",
      "conflict",
      "desktop app",
    ]) {
      expect(await failureOf(provider, `op://Agents/${title}/password`)).toMatchObject({ reason: "item_not_found" })
    }
  })

  it("does not mind warnings", async () => {
    const { provider } = setUp({
      rules: [{ when: ["item"], stderr: "[WARN] 2026/11/20 12:00:00 session expired, a new version is available\n" }],
    })
    expect(await read(provider, "op://Agents/GitHub/password")).toBe("s3cr3t of GitHub")
  })

  it("does not mind line ends of Windows", async () => {
    const { provider } = setUp({ lineEnds: "CRLF", items: [loginItem("GitHub", "one\r\ntwo\nthree\n")] })
    expect(await read(provider, "op://Agents/GitHub/password")).toBe("one\r\ntwo\nthree\n")
  })

  it("does not mind an answer of two megabytes", async () => {
    const large = "0123456789abcdef".repeat(131_072)
    const { provider } = setUp({ items: [loginItem("GitHub", large)] })
    expect((await read(provider, "op://Agents/GitHub/password")) === large).toBe(true)
  })

  it("does not mind an answer that takes three seconds", async () => {
    const { provider } = setUp({ rules: [{ when: ["item"], delayMs: 3_000 }] })
    expect(await read(provider, "op://Agents/GitHub/password")).toBe("s3cr3t of GitHub")
  })

  it("is cut off when it prints without end", async () => {
    const { op, provider } = setUp({ rules: [{ when: ["item"], printsBytes: 17 * 1024 * 1024, hangs: true }] })
    expect(await failureOf(provider, "op://Agents/GitHub/password")).toMatchObject({
      _tag: "ProviderDeniedError",
      reason: "output_too_large",
    })
    await until(() => op.journal().every(({ pid }) => !isAlive(pid)))
  })

  it.each([
    [
      "an answer that stops in the middle",
      { stdout: '{"id":"abc","title":"GitHub","fields":[{"value":"canary-cut', exit: 0 },
    ],
    ["an answer that is not JSON", { stdout: "canary-plain text", exit: 0 }],
    ["an answer of another shape", { stdout: '{"title":"GitHub","value":"canary-shape"}', exit: 0 }],
    ["no answer at all", { exit: 0 }],
  ] as const)("is not believed with %s", async (_, rule) => {
    const { provider } = setUp({ rules: [{ when: ["item"], ...rule }] })
    const failure = await failureOf(provider, "op://Agents/GitHub/password")
    expect(failure).toMatchObject({ _tag: "ProviderUnavailableError", reason: "unexpected_output" })
    expect(JSON.stringify(failure)).not.toContain("canary")
  })

  it("may be killed in the middle of its answer", async () => {
    const { provider } = setUp({
      rules: [{ when: ["item"], times: 1, stdout: '{"id":"canary-partial', diesBySignal: "SIGKILL" }],
    })
    const failure = await failureOf(provider, "op://Agents/GitHub/password")
    expect(failure).toMatchObject({ _tag: "ProviderUnavailableError", reason: "killed" })
    expect(JSON.stringify(failure)).not.toContain("canary")
    expect(await read(provider, "op://Agents/GitHub/password")).toBe("s3cr3t of GitHub")
  })

  it("is killed at its limit with all that it started, also when it ignores SIGTERM", async () => {
    const { op, provider } = setUp(
      { rules: [{ when: ["item"], times: 1, startsChild: "group", ignoresSigterm: true, hangs: true }] },
      { timeoutMs: 1_500 },
    )
    const failure = await failureOf(provider, "op://Agents/GitHub/password")
    expect(failure).toMatchObject({ _tag: "ProviderTimeoutError", timeoutMs: 1_500 })
    const [entry] = op.journal()
    expect(entry?.child).toBeGreaterThan(0)
    await until(() => !isAlive(entry?.pid ?? 0) && !isAlive(entry?.child ?? 0))
    expect(await read(provider, "op://Agents/GitHub/password")).toBe("s3cr3t of GitHub")
  })

  it("is killed when the last caller gives up, and not before", async () => {
    const { op, provider } = setUp({ rules: [{ when: ["item"], times: 1, startsChild: "group", hangs: true }] })
    const [first, second] = [0, 1].map(() => Effect.runFork(provider.get("op://Agents/GitHub/password")))
    await until(() => op.journal()[0]?.child !== undefined)
    const [entry] = op.journal()
    await Effect.runPromise(Fiber.interrupt(first!))
    expect(isAlive(entry?.pid ?? 0)).toBe(true)
    await Effect.runPromise(Fiber.interrupt(second!))
    await until(() => !isAlive(entry?.pid ?? 0) && !isAlive(entry?.child ?? 0))
    expect(op.journal()).toHaveLength(1)
  })

  it("may leave a daemon behind that keeps its output open", async () => {
    const { op, provider } = setUp({ rules: [{ when: ["item"], startsChild: "daemon" }] })
    expect(await read(provider, "op://Agents/GitHub/password")).toBe("s3cr3t of GitHub")
    const daemon = op.journal()[0]?.child ?? 0
    expect(isAlive(daemon)).toBe(true)
    process.kill(daemon, "SIGKILL")
  })

  it("meets a conflict twice and then answers", async () => {
    const { op, provider } = setUp({
      rules: [
        {
          when: ["item"],
          times: 2,
          exit: 1,
          stderr: "[ERROR] 2026/11/20 12:00:00 (409) Conflict: Internal server conflict\n",
        },
      ],
    })
    expect(await read(provider, "op://Agents/GitHub/password")).toBe("s3cr3t of GitHub")
    expect(op.journal()).toHaveLength(3)
  })
})

describe("how often op is asked", () => {
  const item = loginItem("Service", "the password", {
    fields: [
      { id: "username", type: "STRING", purpose: "USERNAME", label: "username", value: "robot" },
      { id: "password", type: "CONCEALED", purpose: "PASSWORD", label: "password", value: "the password" },
      { id: "host", type: "STRING", label: "host", value: "db.example" },
      { id: "code", type: "OTP", label: "one-time password", value: "otpauth://totp/x?secret=AAAA", totp: "741354" },
    ],
  })

  it("reads three fields of one item with one process", async () => {
    const { op, provider } = setUp({ items: [item] })
    const values = await Promise.all(
      ["username", "password", "host"].map((field) => read(provider, `op://Agents/Service/${field}`)),
    )
    expect(values).toEqual(["robot", "the password", "db.example"])
    expect(op.journal()).toHaveLength(1)
  })

  it("reads once for many callers, however they spell the names", async () => {
    const { op, provider } = setUp({ items: [item] })
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        read(provider, `op://${index % 2 ? "agents" : "AGENTS"}/service/PASSWORD`),
      ),
    )
    expect(op.journal()).toHaveLength(1)
  })

  it("fails once for many callers, and asks anew afterwards", async () => {
    const { op, provider } = setUp({
      items: [item],
      rules: [{ when: ["item"], times: 1, exit: 1, stderr: "[ERROR] 2026/11/20 12:00:00 account is not signed in\n" }],
      version: "2.34.1",
    })
    const exits = await Promise.all(
      [0, 1, 2].map(() => Effect.runPromiseExit(provider.get("op://Agents/Service/password"))),
    )
    expect(exits.every(Exit.isFailure)).toBe(true)
    expect(itemReads(op)).toHaveLength(1)
    expect(await read(provider, "op://Agents/Service/password")).toBe("the password")
  })

  itEffect.effect("answers from memory for the lifetime of the cache, five minutes by default", () =>
    Effect.gen(function* () {
      const { op, provider } = setUp({ items: [item] })
      yield* provider.get("op://Agents/Service/password")
      yield* TestClock.adjust("4 minutes")
      yield* provider.get("op://Agents/Service/host")
      expect(op.journal()).toHaveLength(1)
      yield* TestClock.adjust("2 minutes")
      yield* provider.get("op://Agents/Service/host")
      expect(op.journal()).toHaveLength(2)
    }),
  )

  it("forgets a value that nobody asks for when its lifetime ends", async () => {
    const { op, provider } = setUp({ items: [item] }, { cache: { lifetimeMs: 60_000 } })
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    try {
      expect(await read(provider, "op://Agents/Service/password")).toBe("the password")
      expect(vi.getTimerCount()).toBe(1)
      vi.advanceTimersByTime(60_000)
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
    await read(provider, "op://Agents/Service/password")
    expect(op.journal()).toHaveLength(2)
  })

  it("reads each time when the cache is off, by id after the first time", async () => {
    const { op, provider } = setUp({ items: [item] }, { cache: false })
    for (let round = 0; round < 3; round++) await read(provider, "op://Agents/Service/password")
    expect(op.journal().map(({ argv }) => [argv[3], argv.at(-1)])).toEqual([
      ["Agents", "Service"],
      [agents.id, item.id],
      [agents.id, item.id],
    ])
  })

  it("looks an item up by name again when another one has taken its name, or its id is gone", async () => {
    const { op, provider } = setUp({ items: [item] }, { cache: false })
    await read(provider, "op://Agents/Service/password")
    op.change({
      items: [{ ...item, title: "Renamed" }, loginItem("Service", "another password", { id: itemId("Second") })],
    })
    expect(await read(provider, "op://Agents/Service/password")).toBe("another password")
    op.change({ items: [loginItem("Service", "a third password", { id: itemId("Third") })] })
    expect(await read(provider, "op://Agents/Service/password")).toBe("a third password")
  })

  it("never answers with a one-time code from memory", async () => {
    const { op, provider } = setUp({ items: [item] })
    const id = "op://Agents/Service/one-time password?attribute=otp"
    expect(await read(provider, id)).toBe("741354")
    op.put({ ...item, fields: [{ ...item.fields[3]!, totp: "998877" }] })
    expect(await read(provider, id)).toBe("998877")
    expect(op.journal()).toHaveLength(2)
  })

  it("reads anew, past op's own cache, after an API has rejected the value", async () => {
    const { op, provider } = setUp({ items: [item] })
    const id = "op://Agents/Service/password"
    await read(provider, id)
    await read(provider, `op://${agents.id}/${item.id}/password`)
    op.put({ ...item, fields: [{ ...item.fields[1]!, value: "rotated" }] })
    expect(await read(provider, id)).toBe("the password")
    await Effect.runPromise(provider.invalidate?.(id) ?? Effect.void)
    expect(await read(provider, `op://${agents.id}/${item.id}/password`)).toBe("rotated")
    expect(await read(provider, id)).toBe("rotated")
    const [first, second, ...later] = op.journal().map(({ argv }) => argv.includes("--cache=false"))
    expect([first, second]).toEqual([false, false])
    expect(later).toEqual([true, true])
    await Effect.runPromise(provider.invalidate?.(id) ?? Effect.void)
    await Effect.runPromise(provider.invalidate?.("no reference") ?? Effect.void)
    await Effect.runPromise(provider.invalidate?.("op://broken") ?? Effect.void)
    await Effect.runPromise(provider.invalidate?.(item.id) ?? Effect.void)
  })

  it("does not hand out an answer that was under way when the value was rejected", async () => {
    const { op, provider } = setUp({ items: [item], rules: [{ when: ["item"], delayMs: 600 }] })
    const id = "op://Agents/Service/password"
    const before = read(provider, id)
    await until(() => op.journal().length === 1)
    await Effect.runPromise(provider.invalidate?.(id) ?? Effect.void)
    const after = read(provider, id)
    await Promise.all([before, after])
    expect(op.journal()).toHaveLength(2)
    await read(provider, id)
    expect(op.journal()).toHaveLength(2)
  })

  it("runs four processes at once at most where nobody is asked", async () => {
    const items = Array.from({ length: 10 }, (_, index) => loginItem(`Item ${index}`, `value ${index}`))
    const { op, provider } = setUp({ items, rules: [{ when: ["item"], delayMs: 300 }] })
    await Promise.all(items.map(({ title }) => read(provider, `op://Agents/${title}/password`)))
    expect(op.journal()).toHaveLength(10)
    expect(op.mostAtOnce()).toBeLessThanOrEqual(4)
    expect(op.mostAtOnce()).toBeGreaterThan(1)
  })

  it("runs one process at a time where a person may be asked", async () => {
    const { op, provider } = setUpAttended({ rules: [{ when: ["item"], delayMs: 100 }] })
    await Promise.all([
      read(provider, "op://Agents/GitHub/password"),
      read(provider, "op://Agents/GitLab/password"),
      read(provider, "op://Others/Elsewhere/password"),
      provider.items(),
    ])
    expect(op.journal()).toHaveLength(4)
    expect(op.mostAtOnce()).toBe(1)
  })

  it("gives a person longer than a machine", async () => {
    const attended = setUpAttended({ rules: [{ when: ["item"], hangs: true }] }, { timeoutMs: 100 })
    expect(await failureOf(attended.provider, "op://Agents/GitHub/password")).toMatchObject({ timeoutMs: 800 })
    expect(attended.provider.timeoutMs).toBe(1_600)
    const told = setUpAttended({ rules: [{ when: ["item"], hangs: true }] }, { timeoutMs: 100, unlockTimeoutMs: 250 })
    expect(await failureOf(told.provider, "op://Agents/GitHub/password")).toMatchObject({ timeoutMs: 250 })
    expect(onePasswordProvider().timeoutMs).toBe(240_000)
    expect(onePasswordProvider({ serviceAccountToken: token }).timeoutMs).toBeUndefined()
  })

  itEffect.effect("is left alone for as long as the rate limit holds, and memory still answers", () =>
    Effect.gen(function* () {
      const { op, provider } = setUp()
      yield* provider.get("op://Agents/GitHub/password")
      op.change({
        rules: [
          {
            when: ["item"],
            times: 1,
            exit: 1,
            stderr:
              "[ERROR] 2026/11/20 12:00:00 (429) Too Many Requests: Please retry in 4 minutes or try other requests.\n",
          },
        ],
      })
      const first = yield* Effect.flip(provider.get("op://Agents/GitLab/password"))
      expect(first).toMatchObject({ reason: "rate_limited", retryAfterMs: 240_000 })
      yield* TestClock.adjust("1 minute")
      const second = yield* Effect.flip(provider.get("op://Agents/GitLab/password"))
      expect(second).toMatchObject({ reason: "rate_limited", retryAfterMs: 180_000 })
      expect(yield* provider.get("op://Agents/GitHub/password")).toBeDefined()
      expect(op.journal()).toHaveLength(2)
      yield* TestClock.adjust("3 minutes")
      expect(yield* provider.get("op://Agents/GitLab/password")).toBeDefined()
    }),
  )

  itEffect.effect(
    "does not ask a person again who has just dismissed the prompt, also not for those in the queue",
    () =>
      Effect.gen(function* () {
        const { op, provider } = setUpAttended({
          rules: [
            {
              when: ["item"],
              times: 1,
              exit: 1,
              stderr:
                "[ERROR] 2026/11/20 12:00:00 error initializing client: authorization prompt dismissed, please try again\n",
            },
          ],
        })
        const failures = yield* Effect.all(
          ["GitHub", "GitLab"].map((title) => Effect.flip(provider.get(`op://Agents/${title}/password`))),
          { concurrency: "unbounded" },
        )
        expect(failures.map((failure) => "reason" in failure && failure.reason)).toEqual([
          "prompt_dismissed",
          "prompt_dismissed",
        ])
        expect(op.journal()).toHaveLength(1)
        yield* TestClock.adjust("1 minute")
        expect(yield* provider.get("op://Agents/GitLab/password")).toBeDefined()
        expect(op.journal()).toHaveLength(2)
      }),
  )

  it("notices that it was signed out, and that it is signed in again", async () => {
    const { op, provider } = setUpAttended({}, { cache: false })
    const id = "op://Agents/GitHub/password"
    expect(await read(provider, id)).toBe("s3cr3t of GitHub")
    op.change({
      rules: [{ when: ["item"], exit: 1, stderr: "[ERROR] 2026/11/20 12:00:00 account is not signed in\n" }],
    })
    expect(await failureOf(provider, id)).toMatchObject({ reason: "not_signed_in" })
    op.change({ rules: [] })
    expect(await read(provider, id)).toBe("s3cr3t of GitHub")
  })
})

describe("which secret is meant", () => {
  const section = { id: "Section_453C35FE21C643AEAFAFA53BA89D7CF5", label: "Security Code" }
  const code = { id: "399BE6B606F64D04AEF7516C8CB286BA", section, type: "CONCEALED", value: "8294" }
  const item = loginItem("Service", "the password", {
    files: [{ id: itemId("file"), name: "key.pem", size: 12 }],
    fields: [
      { id: "password", type: "CONCEALED", purpose: "PASSWORD", label: "password", value: "the password" },
      { id: "notesPlain", type: "STRING", purpose: "NOTES", label: "notesPlain" },
      { id: "a1", section: { id: "s1", label: "Test" }, label: "key", value: "key of Test" },
      { id: "a2", section: { id: "s2", label: "Live" }, label: "key", value: "key of Live" },
      { id: "a3", section: { id: "s3", label: "Other" }, label: "password", value: "not this one" },
      { id: "a4", section: { id: "add more" }, type: "OTP", label: "code", value: "otpauth://totp/x", totp: "123456" },
      code,
      code,
      {
        id: "private_key",
        type: "SSHKEY",
        label: "private key",
        value: "-----BEGIN PRIVATE KEY-----\n",
        ssh_formats: { openssh: { value: "-----BEGIN OPENSSH PRIVATE KEY-----\n" } },
      },
    ],
  })

  it.each([
    ["a field by its label", "op://Agents/Service/password", "the password"],
    ["a field by its id", "op://Agents/Service/a2", "key of Live"],
    ["a field within a section by label", "op://Agents/Service/live/KEY", "key of Live"],
    ["a field within a section by ids", "op://Agents/Service/s1/a1", "key of Test"],
    ["an empty field", "op://Agents/Service/notesPlain", ""],
    ["a field that is printed twice", `op://Agents/Service/Security Code/${code.id}`, "8294"],
    ["the seed of a one-time password", "op://Agents/Service/code", "otpauth://totp/x"],
    ["a one-time code", "op://Agents/Service/code?attribute=otp", "123456"],
    ["a one-time code by its other name", "op://Agents/Service/add more/code?attribute=totp", "123456"],
    ["a private key", "op://Agents/Service/private key", "-----BEGIN PRIVATE KEY-----\n"],
    [
      "a private key in OpenSSH's format",
      "op://Agents/Service/private key?ssh-format=openssh",
      "-----BEGIN OPENSSH PRIVATE KEY-----\n",
    ],
  ])("is %s", async (_, id, value) => {
    const { provider } = setUp({ items: [item] })
    expect(await read(provider, id)).toBe(value)
  })

  it.each([
    ["a missing field", "op://Agents/Service/token", "field_not_found"],
    ["a field of another section", "op://Agents/Service/Live/password", "field_not_found"],
    ["a label that two sections have", "op://Agents/Service/key", "ambiguous"],
    ["an attached file", "op://Agents/Service/key.pem", "not_supported"],
    ["a code of a field without one", "op://Agents/Service/password?attribute=otp", "not_supported"],
    ["another format of a field without one", "op://Agents/Service/password?ssh-format=openssh", "not_supported"],
    ["a reference without a field", "op://Agents/Service", "invalid_reference"],
    ["an item id where several vaults are open", item.id, "vault_required"],
  ])("is not guessed from %s", async (_, id, reason) => {
    const { provider } = setUp({ items: [item] })
    expect(await failureOf(provider, id)).toMatchObject({ _tag: "ProviderDeniedError", reason })
  })

  it.each([
    ["its password", "LOGIN", item.fields, "the password"],
    [
      "what its category keeps the secret in",
      "API_CREDENTIAL",
      [{ id: "credential", type: "CONCEALED", label: "credential", value: "an API key" }, code],
      "an API key",
    ],
    ["a key of a category for keys", "SSH_KEY", item.fields.slice(-1), "-----BEGIN PRIVATE KEY-----\n"],
    ["its only concealed field", "CUSTOM", [{ id: "host", type: "STRING", label: "host", value: "x" }, code], "8294"],
  ])("is, for a bare item id and one configured vault, %s", async (_, category, fields, value) => {
    const { provider } = setUp({ items: [{ ...item, category, fields }] }, { vaults: ["Agents"] })
    expect(await read(provider, item.id)).toBe(value)
  })

  it("is not the item of another website or a longer title", async () => {
    const { provider } = setUp({ items: [loginItem("GitHub account", "x", { domain: "github.com" })] })
    expect(await failureOf(provider, "op://Agents/github.com/password")).toMatchObject({ reason: "item_not_found" })
  })
})

describe("which vaults are read", () => {
  it.each([
    ["its name", ["Agents"], "op://Agents/GitHub/password"],
    ["its name in another case", ["agents"], "op://AGENTS/GitHub/password"],
    ["its id", [agents.id], `op://${agents.id}/GitHub/password`],
    ["its name where its id is configured", [agents.id], "op://Agents/GitHub/password"],
    ["its id where its name is configured", ["Agents"], `op://${agents.id}/GitHub/password`],
  ])("includes a configured one by %s", async (_, vaults, id) => {
    const { provider } = setUp({}, { vaults })
    expect(await read(provider, id)).toBe("s3cr3t of GitHub")
  })

  it.each([
    ["by name", "op://Others/Elsewhere/password"],
    ["by id", `op://${others.id}/Elsewhere/password`],
    ["that does not exist", "op://Nowhere/Elsewhere/password"],
  ])("excludes one that is not configured, %s, without reading the item", async (_, id) => {
    const { op, provider } = setUp({}, { vaults: ["Agents"] })
    expect(await failureOf(provider, id)).toMatchObject({ _tag: "ProviderDeniedError", reason: "vault_not_allowed" })
    await failureOf(provider, id)
    expect(op.journal().map(({ argv }) => argv.slice(0, 2))).toEqual([["vault", "list"]])
  })

  it("excludes an item of another vault, whatever op answers", async () => {
    const { provider } = setUp(
      { rules: [{ when: ["get"], exit: 0, stdout: JSON.stringify({ ...elsewhere, title: "GitHub" }) }] },
      { vaults: ["Agents"] },
    )
    expect(await failureOf(provider, "op://Agents/GitHub/password")).toMatchObject({ reason: "vault_not_allowed" })
    const nameless = setUp(
      { rules: [{ when: ["get"], exit: 0, stdout: JSON.stringify({ ...github, vault: { id: others.id } }) }] },
      { vaults: ["Agents"] },
    )
    expect(await failureOf(nameless.provider, "op://Agents/GitHub/password")).toMatchObject({
      reason: "vault_not_allowed",
    })
  })

  it("includes an item whose vault op names by id alone", async () => {
    const { provider } = setUp({ items: [{ ...github, vault: { id: agents.id } }] }, { vaults: ["Agents"] })
    expect(await read(provider, "op://Agents/GitHub/password")).toBe("s3cr3t of GitHub")
  })

  it("are the configured ones when listing", async () => {
    const { provider } = setUp({}, { vaults: ["Agents"] })
    expect(await provider.items()).toEqual([
      { id: `op://${agents.id}/${github.id}/password`, name: "GitHub (Agents)" },
      { id: `op://${agents.id}/${gitlab.id}/password`, name: "GitLab (Agents)" },
    ])
  })

  it("are listed one by one for a service account, which has to name them", async () => {
    const { op, provider } = setUp()
    expect((await provider.items()).map(({ name }) => name)).toEqual([
      "Elsewhere (Others)",
      "GitHub (Agents)",
      "GitLab (Agents)",
    ])
    const argvs = op.journal().map(({ argv }) => argv.slice(0, 4).join(" "))
    expect(argvs.toSorted()).toEqual([
      `item list --vault ${agents.id}`,
      `item list --vault ${others.id}`,
      "vault list --format json",
    ])
  })

  it("are listed at once for a person", async () => {
    const { op, provider } = setUpAttended()
    expect(await provider.items()).toHaveLength(3)
    expect(op.journal()).toHaveLength(1)
  })

  it("are listed without items whose secret has no usual place", async () => {
    const { provider } = setUp({ items: [github, loginItem("Card", "1", { category: "CREDIT_CARD" })] })
    expect((await provider.items()).map(({ name }) => name)).toEqual(["GitHub (Agents)"])
  })

  it("rejects with a typed error when they cannot be listed", async () => {
    const { provider } = setUp({
      rules: [{ when: ["list"], exit: 1, stderr: "[ERROR] 2026/11/20 12:00:00 (403) Forbidden\n" }],
    })
    await expect(provider.items()).rejects.toMatchObject({ _tag: "ProviderDeniedError", reason: "forbidden" })
  })
})

describe("closing", () => {
  it("kills what is under way and fails those who wait", async () => {
    const { op, provider } = setUp({ rules: [{ when: ["item"], startsChild: "group", hangs: true }] })
    const waiting = [
      failureOf(provider, "op://Agents/GitHub/password"),
      failureOf(provider, "op://Agents/GitHub/username"),
      provider.items().catch((failure: unknown) => failure),
    ]
    await until(() => op.journal().filter(({ child }) => child !== undefined).length === 3)
    await Effect.runPromise(provider.close?.() ?? Effect.void)
    for (const failure of await Promise.all(waiting)) {
      expect(failure).toMatchObject({ _tag: "ProviderUnavailableError", reason: "closed" })
    }
    await until(() => op.journal().every(({ pid, child }) => !isAlive(pid) && (child === undefined || !isAlive(child))))
  })
})

describe("a host process", () => {
  it("ends by itself while values are still in memory", async () => {
    const op = new FakeOp({ items: [github] })
    const program = `
      import { onePasswordProvider } from "@keyward/provider-onepassword"
      import * as Effect from "effect/Effect"
      const provider = onePasswordProvider({ command: ${JSON.stringify(op.command)} })
      const value = await Effect.runPromise(provider.get("op://Agents/GitHub/password"))
      console.log(String(value))`
    const output = execFileSync(
      process.execPath,
      ["--conditions=@keyward/source", "--input-type=module", "--eval", program],
      { cwd: join(import.meta.dirname, ".."), encoding: "utf8", timeout: 15_000 },
    )
    expect(output).toBe("<redacted>\n")
    op[Symbol.dispose]()
  })
})
