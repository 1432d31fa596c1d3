/**
 * Servers that are local commands: what they are given, how their credential reaches them, and that nothing of them is left.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type AuthTemplate, variable } from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import { describe, expect, it, onTestFinished } from "vitest"
import type { McpPluginOptions } from "../src/index.ts"
import { call, type McpExecutor, setStage } from "./support/stage.ts"

const script = join(import.meta.dirname, "support/stdioServerProcess.ts")
const starts = (file: string): ReadonlyArray<number> => readFileSync(file, "utf8").trim().split("\n").map(Number)

interface CommandOptions {
  readonly kind?: string
  readonly args?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly authTemplates?: ReadonlyArray<AuthTemplate>
  readonly value?: string
  readonly plugin?: McpPluginOptions
}

const setUp = async ({ kind = "modern", args = [], value, plugin = {}, ...rest }: CommandOptions = {}) => {
  const folder = mkdtempSync(join(tmpdir(), "keyward-mcp-"))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, "starts")
  const stage = await setStage({ plugin })
  await stage.executor.mcp.addServer({
    slug: "srv",
    transport: "stdio",
    command: process.execPath,
    args: ["--disable-warning=ExperimentalWarning", script, kind, file, ...args],
    ...rest,
  })
  const credential = value === undefined ? { template: "none" } : { template: "key", value }
  const connect = () =>
    stage.executor.connections.create({ owner: "user", integration: "srv", name: "main", ...credential })
  return { ...stage, file, connect }
}

const account = { owner: "user", integration: "srv", name: "main" } as const

const key: AuthTemplate = { slug: "key", type: "apiKey", env: { SERVICE_TOKEN: ["tk-", variable("token")] } }

const textOf = (result: Awaited<ReturnType<typeof call>>): unknown => {
  if (!result.ok) throw new Error(JSON.stringify(result.error))
  return JSON.parse((result.data as { readonly text: string }).text)
}

/** A process that has ended may stay in the table until somebody asks what became of it. */
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    const status = process.platform === "linux" ? readFileSync(`/proc/${pid}/status`, "utf8") : ""
    return !/^State:\s+Z/m.test(status)
  } catch {
    return false
  }
}

describe.each(["modern", "older"])("a local command of the %s generation", (kind) => {
  it("is listed and called, in one process for many calls", async () => {
    const { executor, file, connect } = await setUp({ kind, args: ["a b", "$HOME;`id`"] })
    await connect()
    expect((await executor.tools.list()).map(({ name }) => name)).toContain("env")
    const before = starts(file).length
    const results = await Promise.all(Array.from({ length: 5 }, () => call(executor, "args")))
    for (const result of results) expect(textOf(result)).toMatchObject({ rest: ["a b", "$HOME;`id`"] })
    expect(starts(file)).toHaveLength(before + 1)
  })

  it("gets the declared variables and a safe few, and nothing else of the host's", async () => {
    process.env["KEYWARD_TEST_SECRET"] = canary("host")
    onTestFinished(() => void delete process.env["KEYWARD_TEST_SECRET"])
    const { executor, connect } = await setUp({ kind, env: { REGION: "eu" } })
    await connect()
    const environment = textOf(await call(executor, "env")) as Record<string, string>
    const allowed = ["HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"]
    expect(Object.keys(environment).filter((name) => !allowed.includes(name))).toEqual(["REGION"])
    expect(environment["PATH"]).toBe(process.env["PATH"])
  })

  it("gets its credential as a variable, and it shows up nowhere else", async () => {
    const secret = canary("token")
    const { executor, events, connect } = await setUp({ kind, authTemplates: [key], value: secret })
    await connect()
    const result = await call(executor, "env")
    expect((textOf(result) as Record<string, string>)["SERVICE_TOKEN"]).toBe("tk-<redacted>")
    const shown = [result, events, await executor.connections.list(), await executor.tools.list()]
    new CanaryScanner([secret]).expectNone(shown, "what the host sees")
  })
})

describe("a local command", () => {
  it("is started anew for another credential", async () => {
    const { executor, file, connect } = await setUp({ authTemplates: [key], value: canary("first") })
    await connect()
    await call(executor, "env")
    const before = starts(file)
    await executor.connections.create({
      owner: "user",
      integration: "srv",
      name: "main",
      template: "key",
      value: canary("second"),
    })
    await call(executor, "env")
    await expect.poll(() => before.some(isAlive)).toBe(false)
  })

  it("is ended with everything that it started when the executor closes", async () => {
    const { executor, connect } = await setUp()
    await connect()
    const { pid, helper } = textOf(await call(executor, "helper")) as { readonly pid: number; readonly helper: number }
    expect([isAlive(pid), isAlive(helper)]).toEqual([true, true])
    await executor.close()
    await expect.poll(() => [isAlive(pid), isAlive(helper)]).toEqual([false, false])
  })

  it.each([
    ["removed", (executor: McpExecutor) => executor.connections.remove(account)],
    ["disabled", (executor: McpExecutor) => executor.connections.disable(account)],
    [
      "given another credential",
      (executor: McpExecutor) => executor.connections.create({ ...account, template: "key", value: canary("other") }),
    ],
  ])("is ended with everything that it started when its connection is %s", async (_, end) => {
    const { executor, connect } = await setUp({ authTemplates: [key], value: canary("token") })
    await connect()
    const { pid, helper } = textOf(await call(executor, "helper")) as { readonly pid: number; readonly helper: number }
    expect([isAlive(pid), isAlive(helper)]).toEqual([true, true])
    await end(executor)
    await expect.poll(() => [isAlive(pid), isAlive(helper)], { timeout: 15_000 }).toEqual([false, false])
  })

  it("that crashes fails the call, which is not repeated, and is started again by the next", async () => {
    const { executor, connect } = await setUp()
    await connect()
    expect(await call(executor, "crash")).toMatchObject({
      ok: false,
      error: { code: "mcp_transport_error", retryable: false },
    })
    expect(await call(executor, "args")).toMatchObject({ ok: true })
  })

  it("that does not start any more is not started for each who waits", async () => {
    const { executor, file, connect } = await setUp({ kind: "modern" })
    await connect()
    writeFileSync(`${file}.broken`, "")
    const before = starts(file).length
    const results = await Promise.all(Array.from({ length: 20 }, () => call(executor, "args")))
    expect(results.every(({ ok }) => !ok)).toBe(true)
    // Once, and once more without the question that old servers end over.
    expect(starts(file).length - before).toBeLessThanOrEqual(2)
  })

  it("is ended with a host that ends without closing its executor", async () => {
    const folder = mkdtempSync(join(tmpdir(), "keyward-mcp-"))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, "starts")
    const host = spawn(
      process.execPath,
      ["--conditions=@keyward/source", join(import.meta.dirname, "support/hostProcess.ts"), script, file],
      { stdio: "ignore" },
    )
    expect((await once(host, "exit"))[0]).toBe(0)
    expect(starts(file).length).toBeGreaterThan(0)
    await expect.poll(() => starts(file).filter(isAlive)).toEqual([])
  })

  it("may ask the person of a call while its tools are listed", async () => {
    const { executor, file, connect } = await setUp({ kind: "asking" })
    await connect()
    writeFileSync(`${file}.waiting`, "")
    const calling = call(executor, "ask", {}, { onElicitation: () => ({ action: "accept" }) })
    await executor.connections.refresh({ owner: "user", integration: "srv", name: "main" })
    expect(textOf(await calling)).toBe("accept")
  })

  it("asks nobody while several calls are under way, as it does not say which of them it asks for", async () => {
    const { executor, connect } = await setUp({ kind: "asking" })
    await connect()
    const asked: Array<unknown> = []
    const onElicitation = (request: unknown) => {
      asked.push(request)
      return { action: "accept" } as const
    }
    const calls = ["one", "other"].map(() => call(executor, "ask", {}, { onElicitation }))
    for (const result of await Promise.all(calls)) expect(textOf(result)).toBe("cancel")
    expect(asked).toEqual([])
  })

  it("that crashes again and again is left alone for a while", async () => {
    const { executor, file, connect } = await setUp({ plugin: { maxRestarts: 2 } })
    await connect()
    await call(executor, "crash")
    await call(executor, "crash")
    const before = starts(file).length
    expect(await call(executor, "crash")).toMatchObject({ ok: false, error: { code: "mcp_transport_error" } })
    expect(starts(file)).toHaveLength(before)
  })

  it("that writes too much at once is ended", async () => {
    const { executor, connect } = await setUp({ plugin: { maxMessageBytes: 1_000_000 } })
    await connect()
    expect(await call(executor, "flood")).toMatchObject({ ok: false, error: { code: "mcp_transport_error" } })
    expect(await call(executor, "args")).toMatchObject({ ok: true })
  })

  it("that ends over a question that it does not know is asked what it knows", async () => {
    const { executor, connect } = await setUp({ kind: "touchy" })
    await connect()
    expect(await call(executor, "hello")).toEqual({ ok: true, data: { text: "hello" } })
  })

  it("that does not start, or ends at once, gives no connection", async () => {
    const { connect } = await setUp({ kind: "broken" })
    await expect(connect()).rejects.toMatchObject({ _tag: "ToolResolutionError" })
    const { executor } = await setStage()
    await executor.mcp.addServer({ slug: "srv", transport: "stdio", command: "no-such-command-anywhere" })
    await expect(
      executor.connections.create({ owner: "user", integration: "srv", name: "main", template: "none" }),
    ).rejects.toMatchObject({ _tag: "ToolResolutionError" })
  })

  it("of an older generation asks the person of the only call under way", async () => {
    const { executor, connect } = await setUp({ kind: "older" })
    await connect()
    const answer = await call(executor, "ask", {}, { onElicitation: async () => ({ action: "accept" }) })
    expect(textOf(answer)).toBe("accept")
  })
})

describe("a command as it is written", () => {
  it("is refused with the field that cannot be used", async () => {
    const { executor } = await setStage()
    const add = (input: object) => executor.mcp.addServer({ slug: "srv", ...input } as never)
    for (const [field, input] of [
      ["command", { transport: "stdio" }],
      ["command", { transport: "stdio", command: " " }],
      ["args", { transport: "stdio", command: "x", args: [1] }],
      ["env.A-B", { transport: "stdio", command: "x", env: { "A-B": "1" } }],
      ["url", { transport: "stdio", command: "x", url: "https://a.example" }],
      ["command", { transport: "http", url: "https://a.example", command: "x" }],
      ["url", { transport: "http", url: "file:///etc/passwd" }],
      ["url", { transport: "http", url: "https://user:secret@a.example" }],
      ["transport", { transport: "carrier pigeon" }],
    ] as const) {
      await expect(add(input)).rejects.toMatchObject({ _tag: "InvalidIntegrationInputError", field })
    }
    for (const name of ["NODE_OPTIONS", "LD_PRELOAD", "PATH"]) {
      const authTemplates = [{ slug: "key", type: "apiKey", env: { [name]: [variable("token")] } }]
      await expect(add({ transport: "stdio", command: "x", authTemplates })).rejects.toMatchObject({
        _tag: "InvalidAuthTemplateError",
        path: `authTemplates[0].env.${name}`,
      })
    }
  })
})
