/**
 * **Resolve**, the second verb of every call: from a connection's items to its credential values.
 *
 * Called when a request is about to leave, never earlier. Each item is read once, all of them at the same time, under the
 * provider's limit.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Redacted from "effect/Redacted"
import type { CredentialValues } from "../../auth/applyAuth.ts"
import type { CompiledTemplate } from "../../auth/AuthTemplate.ts"
import type { ConnectionRow } from "../../connection/Connection.ts"
import { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import { connectionAddress } from "../../connection/ConnectionRef.ts"
import {
  CredentialProviderNotRegisteredError,
  isNotFound,
  ProviderDeniedError,
  type ProviderError,
  ProviderTimeoutError,
} from "../../credential/CredentialError.ts"
import type { Resources } from "../Resources.ts"

/** Reads every value of a connection that its template needs. */
export const resolveCredential = (
  resources: Resources,
  row: ConnectionRow,
  template: CompiledTemplate,
): Effect.Effect<CredentialValues, ConnectionCredentialError> => {
  const { variables } = template
  if (variables.length === 0) return noValues
  const [only] = row.items
  const first = variables[0]
  if (variables.length === 1 && row.items.length === 1 && only !== undefined && only[0] === first) {
    const read = resources.providers.read(row.provider, only[1])
    const held = valueOf(read)
    if (held !== undefined) return Effect.succeed(new Map([[only[0], held]]))
    return Effect.matchEffect(read, {
      onFailure: (error) => Effect.fail(providerFailure(row, error)),
      onSuccess: (value) =>
        value === undefined ? Effect.fail(missing(row, [only[0]])) : Effect.succeed(new Map([[only[0], value]])),
    })
  }
  return readAll(resources, row, variables)
}

/**
 * Reads a credential anew after the service turned it down, past what its provider keeps in memory.
 *
 * `undefined` when the provider keeps nothing, so that reading again could not help.
 */
export const resolveAnew = (
  resources: Resources,
  row: ConnectionRow,
  template: CompiledTemplate,
): Effect.Effect<CredentialValues | undefined, ConnectionCredentialError> =>
  Effect.gen(function* () {
    const provider = yield* Effect.mapError(resources.providers.get(row.provider), (error) =>
      providerFailure(row, error),
    )
    if (provider.invalidate === undefined || template.variables.length === 0) return undefined
    yield* Effect.forEach(
      row.items,
      ([, id]) => Effect.ignore(resources.providers.call(provider, () => provider.invalidate?.(id) ?? Effect.void)),
      { discard: true },
    )
    return yield* resolveCredential(resources, row, template)
  })

/** The value of a reading that is finished already, as those of a provider in memory are. */
const valueOf = <A, E>(read: Effect.Effect<A, E>): A | undefined => {
  if (!Exit.isExit(read)) return undefined
  const exit = read as Exit.Exit<A, E>
  return Exit.isSuccess(exit) ? exit.value : undefined
}

const noValues = Effect.succeed<CredentialValues>(new Map())

const readAll = (
  resources: Resources,
  row: ConnectionRow,
  variables: ReadonlyArray<string>,
): Effect.Effect<CredentialValues, ConnectionCredentialError> =>
  Effect.gen(function* () {
    const items = new Map(row.items)
    const unbound = variables.filter((variable) => !items.has(variable))
    if (unbound.length > 0) return yield* Effect.fail(missing(row, unbound))
    const read = yield* Effect.mapError(
      Effect.forEach(variables, (variable) => resources.providers.read(row.provider, items.get(variable) ?? ""), {
        concurrency: "unbounded",
      }),
      (error) => providerFailure(row, error),
    )
    const values = new Map<string, Redacted.Redacted>()
    const absent: Array<string> = []
    for (const [index, variable] of variables.entries()) {
      const value = read[index]
      if (value === undefined) absent.push(variable)
      else values.set(variable, value)
    }
    return absent.length > 0 ? yield* Effect.fail(missing(row, absent)) : values
  })

const missing = (row: ConnectionRow, variables: ReadonlyArray<string>): ConnectionCredentialError =>
  new ConnectionCredentialError({
    code: "connection_value_missing",
    connection: connectionAddress(row),
    reason: `no value for ${variables.join(", ")}`,
    nextStep:
      row.origin === "external"
        ? `Put it into the provider "${row.provider}" under the id that the connection refers to, or create the connection again.`
        : "Save the credential again with connections.create under the same name.",
    retryable: false,
    authRequired: true,
  })

/** What a provider's failure means for the connection. */
export const providerFailure = (
  row: ConnectionRow,
  error: ProviderError | CredentialProviderNotRegisteredError,
): ConnectionCredentialError => {
  const connection = connectionAddress(row)
  if (error instanceof CredentialProviderNotRegisteredError) {
    return new ConnectionCredentialError({
      code: "credential_provider_not_registered",
      connection,
      reason: "not_registered",
      nextStep: error.message,
      retryable: false,
      authRequired: false,
    })
  }
  if (error instanceof ProviderTimeoutError) {
    return new ConnectionCredentialError({
      code: "credential_provider_timeout",
      connection,
      reason: "timeout",
      nextStep: error.message,
      retryable: true,
      authRequired: false,
    })
  }
  if (isNotFound(error)) {
    return new ConnectionCredentialError({
      code: "connection_value_missing",
      connection,
      reason: error.reason,
      nextStep: error.nextStep,
      retryable: false,
      authRequired: true,
    })
  }
  const isDenied = error instanceof ProviderDeniedError
  return new ConnectionCredentialError({
    code: isDenied ? "credential_provider_denied" : "credential_provider_unavailable",
    connection,
    reason: error.reason,
    nextStep: error.nextStep,
    retryable: !isDenied,
    authRequired: false,
    ...(!isDenied && error.retryAfterMs !== undefined ? { retryAfterMs: error.retryAfterMs } : {}),
  })
}
