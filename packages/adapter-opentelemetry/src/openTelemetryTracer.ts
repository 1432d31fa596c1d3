/**
 * A tracer of `effect` whose spans are those of a tracer of `@opentelemetry/api`: what `createExecutor({ tracer })` takes.
 *
 * A span without a parent here joins the one that is active in the host's context, which is how a request's trace goes on through a call.
 */
import {
  type Attributes,
  type AttributeValue,
  context,
  type Context,
  type Span as OtelSpan,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer as OtelTracer,
} from "@opentelemetry/api"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Tracer from "effect/Tracer"

/**
 * Makes the tracer. Default: spans of the instrumentation scope `keyward`, of whatever provider the host registered.
 *
 * @example
 * ```ts
 * import { openTelemetryTracer } from "@keyward/adapter-opentelemetry"
 * import { createExecutor } from "@keyward/core"
 *
 * await using executor = await createExecutor({ tracer: openTelemetryTracer() })
 * ```
 */
export const openTelemetryTracer = (tracer: OtelTracer = trace.getTracer("keyward")): Tracer.Tracer =>
  Tracer.make({ span: (options) => new BridgedSpan(tracer, options) })

type SpanOptions = Parameters<Tracer.Tracer["span"]>[0]

class BridgedSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly name: string
  readonly spanId: string
  readonly traceId: string
  readonly parent: SpanOptions["parent"]
  readonly annotations: SpanOptions["annotations"]
  readonly sampled: boolean
  readonly kind: Tracer.SpanKind
  readonly attributes = new Map<string, unknown>()
  readonly links: Array<Tracer.SpanLink>
  status: Tracer.SpanStatus
  readonly #span: OtelSpan

  constructor(tracer: OtelTracer, { name, parent, annotations, links, startTime, kind, root }: SpanOptions) {
    this.name = name
    this.parent = parent
    this.annotations = annotations
    this.links = [...links]
    this.kind = kind
    this.status = { _tag: "Started", startTime }
    const options = { kind: kinds[kind], startTime: toTime(startTime), links: links.map(toLink), root }
    this.#span = tracer.startSpan(name, options, contextOf(parent))
    const { spanId, traceId, traceFlags } = this.#span.spanContext()
    this.spanId = spanId
    this.traceId = traceId
    this.sampled = (traceFlags & 1) === 1
  }

  /** For spans of the host that are to be inside this one. */
  in(outer: Context): Context {
    return trace.setSpan(outer, this.#span)
  }

  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    this.status = { _tag: "Ended", startTime: this.status.startTime, endTime, exit }
    if (Exit.isSuccess(exit)) this.#span.setStatus({ code: SpanStatusCode.OK })
    else this.#failed(exit.cause)
    this.#span.end(toTime(endTime))
  }

  attribute(key: string, value: unknown): void {
    this.attributes.set(key, value)
    this.#span.setAttribute(key, toValue(value))
  }

  event(name: string, startTime: bigint, attributes: Record<string, unknown> = {}): void {
    this.#span.addEvent(name, toAttributes(attributes), toTime(startTime))
  }

  addLinks(links: ReadonlyArray<Tracer.SpanLink>): void {
    this.links.push(...links)
    this.#span.addLinks(links.map(toLink))
  }

  #failed(cause: Cause.Cause<unknown>): void {
    if (Cause.hasInterruptsOnly(cause)) {
      this.#span.setStatus({ code: SpanStatusCode.UNSET, message: "interrupted" })
      return
    }
    const error = Cause.squash(cause)
    const { name, message } = error instanceof Error ? error : { name: "Error", message: "It failed." }
    // Without the stack, which says nothing about the host.
    this.#span.recordException({ name, message })
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message })
  }
}

/** A parent of this tracer, one that came from elsewhere by its ids, or what is active in the host. */
const contextOf = (parent: SpanOptions["parent"]): Context => {
  const active = context.active()
  if (parent._tag === "None") return active
  const { value } = parent
  return value instanceof BridgedSpan ? value.in(active) : trace.setSpanContext(active, spanContextOf(value))
}

const spanContextOf = ({ spanId, traceId, sampled }: Tracer.AnySpan) => ({
  spanId,
  traceId,
  traceFlags: sampled ? 1 : 0,
})

const toLink = ({ span, attributes }: Tracer.SpanLink) => ({
  context: spanContextOf(span),
  attributes: toAttributes(attributes),
})

const kinds: Readonly<Record<Tracer.SpanKind, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
}

/** Seconds and nanoseconds. */
const toTime = (nanoseconds: bigint): [number, number] => [
  Number(nanoseconds / 1_000_000_000n),
  Number(nanoseconds % 1_000_000_000n),
]

const toAttributes = (attributes: Readonly<Record<string, unknown>>): Attributes =>
  Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, toValue(value)]))

const toValue = (value: unknown): AttributeValue =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? value
    : (JSON.stringify(value) ?? typeof value)
