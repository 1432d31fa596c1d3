/** Spans of the call path: where they are, what they say, and that they say no more. */
import { createExecutor, memoryProvider } from "@keyward/core"
import { createExecutor as createEffectExecutor } from "@keyward/core/effect"
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Tracer from "effect/Tracer"
import { describe, expect, it } from "vitest"
import { acmePlugin, main, rejectionOf, setStage, toJson, toolOfMain } from "./acme.ts"
import { connectAccount } from "./oauth/account.ts"

/** A tracer that keeps every span. */
const keeping = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    },
  })
  const parentOf = ({ parent }: Tracer.NativeSpan): string | undefined =>
    spans.find(({ spanId }) => parent._tag === "Some" && parent.value.spanId === spanId)?.name
  return { tracer, spans, tree: () => spans.map((span) => [span.name, parentOf(span)]) }
}

/** A span's name, and those of the spans around it. */
const pathOf = (
  spans: ReadonlyArray<Tracer.NativeSpan>,
  span: Tracer.NativeSpan | undefined,
): ReadonlyArray<string> => {
  if (span === undefined) return []
  const { parent } = span
  const around = parent._tag === "Some" ? spans.find(({ spanId }) => spanId === parent.value.spanId) : undefined
  return [span.name, ...pathOf(spans, around)]
}

const said = (span: Tracer.NativeSpan | undefined) => Object.fromEntries(span?.attributes ?? [])

describe("the spans of a call", () => {
  it("are select, resolve, apply and send within the call, also where the plugin waits in between", async () => {
    const { tracer, spans, tree } = keeping()
    const { executor } = await setStage({
      config: { tracer },
      tools: {
        call: async ({ fetch }) => {
          await new Promise((resolve) => setTimeout(resolve, 1))
          return fetch("/").then(toJson)
        },
      },
    })
    await executor.connections.create({ ...main, template: "bearer", value: "v" })
    spans.length = 0
    await executor.execute(toolOfMain())
    expect(tree()).toEqual([
      ["keyward.call", undefined],
      ["keyward.select", "keyward.call"],
      ["keyward.resolve", "keyward.call"],
      ["keyward.apply", "keyward.call"],
      ["keyward.send", "keyward.call"],
    ])
    const connection = "tools.api.org.main"
    expect(said(spans[0])).toEqual({ integration: "api", tool: "call", connection, outcome: "ok" })
    expect(said(spans[1])).toEqual({ integration: "api", tool: "call", connection })
    for (const span of spans.slice(2)) expect(said(span)).toMatchObject({ connection })
    expect(spans.map(({ status }) => status._tag)).toEqual(spans.map(() => "Ended"))
    expect(spans.map(({ kind }) => kind)).toEqual(["internal", "internal", "internal", "internal", "client"])
  })

  it("begin with the selection of an account, and with each request of a fetch", async () => {
    const { tracer, spans, tree } = keeping()
    const { executor } = await setStage({ config: { tracer }, tools: { call: () => 1 } })
    await executor.connections.create({ ...main, template: "bearer", value: "v" })
    spans.length = 0
    await executor.call("api", "call", {}, { identity: "org" })
    await executor.connections.fetch(main)("/")
    expect(tree()).toEqual([
      ["keyward.call", undefined],
      ["keyward.select", "keyward.call"],
      ["keyward.fetch", undefined],
      ["keyward.select", "keyward.fetch"],
      ["keyward.resolve", "keyward.fetch"],
      ["keyward.apply", "keyward.fetch"],
      ["keyward.send", "keyward.fetch"],
    ])
  })

  it("hold no secret, argument, header or query, when all goes well and when it does not", async () => {
    const [secret, argument, query] = [canary("secret"), canary("argument"), canary("query")]
    const { tracer, spans } = keeping()
    const { executor } = await setStage({
      config: { tracer },
      upstream: (request) => (request.url.includes("ok") ? { json: { secret } } : { status: 401, json: { secret } }),
      tools: {
        ok: ({ fetch }) => fetch(`/ok?q=${query}`, { headers: { "x-header": argument } }).then(toJson),
        rejected: ({ send }) => send({ url: `/no?q=${query}` }),
        astray: ({ fetch }) => fetch(`https://elsewhere.example/?q=${query}`),
      },
    })
    await executor.connections.create({ ...main, template: "bearer", value: secret })
    await executor.connections.create({ ...main, name: "inQuery", template: "query", value: secret })
    for (const tool of ["ok", "rejected", "astray"]) {
      await executor.execute(toolOfMain(tool), { argument })
      await executor.execute(`tools.api.org.inQuery.${tool}`, { argument })
    }
    await rejectionOf(executor.execute(toolOfMain("nope"), { argument }))
    const told = spans.map(({ name, attributes, status, events }) => [name, [...attributes], status, events])
    expect(told.length).toBeGreaterThan(20)
    new CanaryScanner([secret, argument, query]).expectNone(told, "the spans")
  })

  it("are part of the span of the Effect program that calls", async () => {
    const { tracer, tree } = keeping()
    await Effect.runPromise(
      Effect.gen(function* () {
        const executor = yield* createEffectExecutor({ tracer: yield* Effect.tracer })
        yield* Effect.ignore(Effect.withSpan(executor.execute("tools.api.org.main.call"), "program"))
      }).pipe(Effect.scoped, Effect.withTracer(tracer)),
    )
    expect(tree().slice(0, 3)).toEqual([
      ["program", undefined],
      ["keyward.call", "program"],
      ["keyward.select", "keyward.call"],
    ])
  })

  it("have the refresh of a token in the step of the call that first asked for it, while others wait for the same one", async () => {
    const { tracer, spans } = keeping()
    const account = await connectAccount({ config: { tracer } })
    await account.expire()
    spans.length = 0
    const results = await Promise.all(Array.from({ length: 5 }, () => account.call()))
    expect(results.every(({ ok }) => ok)).toBe(true)
    const refreshes = spans.filter(({ name }) => name === "keyward.refresh")
    expect(refreshes).toHaveLength(1)
    expect(account.refreshes()).toBe(1)
    const [refresh] = refreshes
    expect(pathOf(spans, refresh)).toEqual(["keyward.refresh", "keyward.resolve", "keyward.call"])
    expect(said(refresh)).toEqual({ connection: "tools.files.user.main", integration: "files" })
    expect(refresh?.status._tag).toBe("Ended")
    expect(spans.filter(({ name }) => name === "keyward.resolve")).toHaveLength(5)
    new CanaryScanner(account.server.secrets).expectNone(
      spans.map(({ name, attributes, status, events }) => [name, [...attributes], status, events]),
      "the spans",
    )
  })

  it("have a refresh that a 401 asks for in what was sent, and one that fails end with what it failed with", async () => {
    const { tracer, spans } = keeping()
    const account = await connectAccount({ config: { tracer } })
    account.server.expireAccessTokens()
    spans.length = 0
    expect((await account.call()).ok).toBe(true)
    const renewed = spans.find(({ name }) => name === "keyward.refresh")
    expect(pathOf(spans, renewed)).toEqual(["keyward.refresh", "keyward.send", "keyward.call"])
    await account.expire()
    account.server.endGrants()
    spans.length = 0
    await rejectionOf(account.executor.connections.fetch(account.ref)(account.server.resourceUrl))
    const failed = spans.find(({ name }) => name === "keyward.refresh")
    expect(pathOf(spans, failed)).toEqual(["keyward.refresh", "keyward.resolve", "keyward.fetch"])
    const { status } = failed ?? {}
    if (status?._tag !== "Ended") throw new Error("It has not ended.")
    expect(Exit.isFailure(status.exit) && Cause.squash(status.exit.cause)).toMatchObject({
      code: "oauth_reauth_required",
    })
  })

  it("are refused to a tracer that is none", async () => {
    const config = { plugins: [acmePlugin()] as const, providers: [memoryProvider()], tracer: {} as Tracer.Tracer }
    expect(await rejectionOf(createExecutor(config))).toMatchObject({ _tag: "InvalidConfigError", field: "tracer" })
  })
})
