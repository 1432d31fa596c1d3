/**
 * Puts credential values into the environment of a process: what `applyAuth` is for requests, for plugins that start a server as a child.
 *
 * Called when a plugin asks for the environment of a connection; the values never get from here to a request.
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { CredentialNotPlaceableError, type CredentialValues } from "./applyAuth.ts"
import type { CompiledTemplate } from "./AuthTemplate.ts"

/**
 * The variables of a template, filled, on an object without a prototype.
 *
 * Every variable of the template must be among the values. Fails for a value that an environment cannot hold.
 */
export const applyEnvironment = (
  template: CompiledTemplate,
  values: CredentialValues,
): Result.Result<Readonly<Record<string, string>>, CredentialNotPlaceableError> => {
  const environment = Object.create(null) as Record<string, string>
  for (const { name, parts } of template.environment) {
    let joined = ""
    for (const part of parts) {
      if (typeof part === "string") {
        joined += part
        continue
      }
      const value = values.get(part.variable)
      if (value === undefined) return Result.fail(new CredentialNotPlaceableError({ location: "environment", name }))
      joined += Redacted.value(value)
    }
    // The operating system ends a value there.
    if (joined.includes("\0")) return Result.fail(new CredentialNotPlaceableError({ location: "environment", name }))
    environment[name] = joined
  }
  return Result.succeed(environment)
}
