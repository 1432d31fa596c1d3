/** Spans arrive at an OTLP endpoint: through the host's OpenTelemetry, and through the exporter of effect. */
import { createExecutor, definePlugin, type ExecutorConfig, memoryProvider } from "@keyward/core"
import { canary, CanaryScanner, fakeUpstream } from "@keyward/core/testing"
import { context, trace } from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as OtlpTracer from "effect/observability/OtlpTracer"
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest"
import { openTelemetryTracer } from "../src/index.ts"
import { type Collector, startCollector } from "./collector.ts"

const secret = canary("secret")
const argument = canary("argument")
const query = canary("query")

/** An executor with one connection and one tool, which sends one request. */
const setStage = async (config: ExecutorConfig) => {
  const upstream = await fakeUpstream((request) =>
    request.url.includes("gone") ? { status: 401, json: {} } : { json: { ok: true } },
  )
  const plugin = definePlugin({
    id: "acme",
    catalog: "integration",
    extension: (ctx) => ({
      add: (input: Parameters<typeof ctx.integrations.register>[0]) => ctx.integrations.register(input),
    }),
    resolveTools: () => ["call", "gone"].map((name) => ({ name, annotations: { readOnlyHint: true } })),
    invokeTool: async ({ tool, fetch }) => (await fetch(`/${tool.name}?q=${query}`)).json(),
  })
  const executor = await createExecutor({
    ...config,
    plugins: [plugin] as const,
    providers: [memoryProvider()],
    egress: { allowHosts: [upstream.host] },
  })
  onTestFinished(async () => {
    await executor.close()
    await upstream.close()
  })
  await executor.acme.add({
    slug: "api",
    baseUrl: upstream.origin,
    authTemplates: [{ slug: "bearer", type: "bearer" }],
  })
  await executor.connections.create({
    owner: "org",
    integration: "api",
    name: "main",
    template: "bearer",
    value: secret,
  })
  return executor
}

const steps = ["keyward.select", "keyward.resolve", "keyward.apply", "keyward.send"]

const holdsNothing = ({ bodies }: Collector): void => {
  expect(bodies.length).toBeGreaterThan(0)
  new CanaryScanner([secret, argument, query]).expectNone(bodies, "what the OTLP endpoint got")
}

/** A provider that exports to a collector. */
const startProvider = async () => {
  const collector = await startCollector()
  const provider = new TracerProvider({
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url: collector.url }) })],
  })
  return { collector, provider }
}

describe("spans through the host's OpenTelemetry", () => {
  beforeAll(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager())
  })
  afterAll(() => {
    context.disable()
    trace.disable()
  })

  it("arrive at an OTLP endpoint, as parts of the request that the host traces", async () => {
    const { collector, provider } = await startProvider()
    trace.setGlobalTracerProvider(provider)
    const executor = await setStage({ tracer: openTelemetryTracer() })
    await provider.getTracer("host").startActiveSpan("GET /page", async (span) => {
      expect(await executor.execute("tools.api.org.main.call", { argument })).toMatchObject({ ok: true })
      span.end()
    })
    await provider.shutdown()
    const [page, call] = [collector.named("GET /page"), collector.named("keyward.call")]
    expect(call).toMatchObject({ traceId: page.traceId, parentSpanId: page.spanId, kind: 1, status: { code: 1 } })
    expect(call.attributes).toEqual({
      integration: "api",
      tool: "call",
      connection: "tools.api.org.main",
      outcome: "ok",
    })
    for (const name of steps) {
      expect(collector.named(name)).toMatchObject({ traceId: page.traceId, parentSpanId: call.spanId })
      expect(collector.named(name).attributes).toMatchObject({ connection: "tools.api.org.main" })
    }
    expect(collector.named("keyward.send").kind).toBe(3)
    holdsNothing(collector)
  })

  it("begin a trace of their own where nothing is active, and say what failed", async () => {
    const { collector, provider } = await startProvider()
    const executor = await setStage({ tracer: openTelemetryTracer(provider.getTracer("mine")) })
    await executor.execute("tools.api.org.main.gone", { argument })
    await executor.execute("tools.api.org.main.nope", { argument }).catch(() => undefined)
    await provider.shutdown()
    const calls = collector.spans.filter(({ name }) => name === "keyward.call")
    expect(calls.map(({ parentSpanId }) => parentSpanId ?? "")).toEqual(["", ""])
    expect(new Set(calls.map(({ traceId }) => traceId)).size).toBe(2)
    const outcomes = new Set(calls.map(({ attributes }) => attributes["outcome"]))
    expect(outcomes).toEqual(new Set(["ToolNotFoundError", "connection_rejected"]))
    expect(calls.find(({ status }) => status.code === 2)?.status.message).toContain("nope")
    holdsNothing(collector)
  })
})

describe("spans through the exporter of effect", () => {
  it("arrive at an OTLP endpoint, each call as a trace", async () => {
    const collector = await startCollector()
    const exporter = OtlpTracer.layer({ url: collector.url, resource: { serviceName: "host" } }).pipe(
      Layer.provide([OtlpSerialization.layerJson, FetchHttpClient.layer]),
    )
    await Effect.runPromise(
      Effect.gen(function* () {
        const tracer = yield* Effect.tracer
        const executor = yield* Effect.promise(() => setStage({ tracer }))
        yield* Effect.promise(() => executor.execute("tools.api.org.main.call", { argument }))
      }).pipe(Effect.provide(exporter)),
    )
    const call = collector.named("keyward.call")
    for (const name of steps)
      expect(collector.named(name)).toMatchObject({ traceId: call.traceId, parentSpanId: call.spanId })
    holdsNothing(collector)
  })
})
