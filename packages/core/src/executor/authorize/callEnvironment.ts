/**
 * The environment that a connection's credential is placed in, for plugins that start a process: resolved when they ask, like a request's.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { findOnly } from "../../auth/applyAuth.ts"
import { applyEnvironment } from "../../auth/applyEnvironment.ts"
import { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import { andThen } from "../andThen.ts"
import type { CallRecord } from "../call/CallRecord.ts"
import type { CallStop } from "../call/CallStop.ts"
import { runPromise } from "../runPromise.ts"
import type { CredentialSource } from "./CredentialSource.ts"

/** The variables of the source's template; empty where there is no source. The record looks for the values in what the plugin answers. */
export const callEnvironment = (
  source: CredentialSource | undefined,
  record: CallRecord,
  stop: CallStop,
): Promise<Readonly<Record<string, string>>> =>
  source === undefined ? Promise.resolve({}) : runPromise(environmentOf(source, record), undefined, stop)

const environmentOf = (
  source: CredentialSource,
  record: CallRecord,
): Effect.Effect<Readonly<Record<string, string>>, ConnectionCredentialError> =>
  andThen(source.template, (template) => {
    if (template.environment.length === 0) return Effect.succeed(nothing)
    const resolved = Effect.tapError(source.resolve(template), (error) => Effect.sync(() => (record.failure = error)))
    return Effect.flatMap(resolved, (values) => {
      const applied = applyEnvironment(template, values)
      if (Result.isFailure(applied)) return Effect.fail(notPlaceable(source.connection, applied.failure))
      record.keep(findOnly(template, values))
      return Effect.succeed(applied.success)
    })
  })

const nothing: Readonly<Record<string, string>> = Object.freeze(Object.create(null) as Record<string, string>)

const notPlaceable = (
  connection: string,
  { location, name, message }: { readonly location: string; readonly name: string; readonly message: string },
): ConnectionCredentialError =>
  new ConnectionCredentialError({
    code: "connection_not_placeable",
    connection,
    reason: `${location} ${name}`,
    nextStep: message,
    retryable: false,
    authRequired: true,
  })
