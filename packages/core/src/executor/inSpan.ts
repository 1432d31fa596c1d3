/**
 * Spans of the call path: opened only where the host passed a tracer, since one that nobody collects costs as much as the call itself.
 *
 * They name the connection, the tool and the integration; never arguments, headers or query strings.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"

/** What spans say of a call. */
interface SpanAttributes {
  /** The connection's address. */
  readonly connection?: string | undefined
  readonly tool?: string | undefined
  readonly integration?: string | undefined
}

/** The steps that have a span: a whole `call` or bound `fetch`, and what happens in it. */
export type SpanName =
  | "keyward.call"
  | "keyward.fetch"
  | "keyward.select"
  | "keyward.resolve"
  | "keyward.apply"
  | "keyward.send"
  | "keyward.refresh"

/** What a step is part of. */
export interface SpanPlace {
  /** The span around it; absent: that of the fiber. A plugin's promises carry none on. */
  readonly parent?: Tracer.AnySpan | undefined
  readonly attributes: SpanAttributes
}

/** Does a step in a span of its own; without a tracer, just does it. */
export const inSpan = <A, E>(
  { tracer }: { readonly tracer: Tracer.Tracer | undefined },
  name: SpanName,
  place: () => SpanPlace,
  step: (span: Tracer.Span | undefined) => Effect.Effect<A, E>,
): Effect.Effect<A, E> => {
  if (tracer === undefined) return step(undefined)
  return Effect.suspend(() => {
    const { parent, attributes } = place()
    const known = Object.entries(attributes).filter(([, value]) => value !== undefined)
    const options = {
      attributes: Object.fromEntries(known),
      kind: name === "keyward.send" ? ("client" as const) : ("internal" as const),
      ...(parent === undefined ? {} : { parent }),
    }
    const opened = Effect.flatMap(Effect.makeSpan(name, options), (span) =>
      Effect.onExit(
        Effect.withParentSpan(
          Effect.suspend(() => step(span)),
          span,
        ),
        (exit) => Effect.map(Clock.currentTimeNanos, (now) => span.end(now, told(exit))),
      ),
    )
    return Effect.withTracer(opened, tracer)
  })
}

/** What a tracer may know of an end: not what came of it, which can hold what a service answered, and no error but Keyward's own. */
const told = (exit: Exit.Exit<unknown, unknown>): Exit.Exit<void, unknown> => {
  if (Exit.isSuccess(exit)) return Exit.void
  if (Cause.hasInterruptsOnly(exit.cause)) return Exit.failCause(exit.cause)
  const error = Cause.squash(exit.cause)
  const isOwn = error instanceof Error && "httpStatus" in error && "_tag" in error
  return Exit.fail(isOwn ? error : new Error("It failed for a reason that is not shown here."))
}
