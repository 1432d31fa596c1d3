/**
 * Secrets in environment variables, read-only, and only those that the host names.
 *
 * An id is the name of a variable. The allow-list is the extent of the provider: without one, whoever can write down
 * `from: { provider: "env", id }` could send any variable of the process to an API of their choice.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { ProviderDeniedError } from "./CredentialError.ts"
import type { CredentialProvider } from "./CredentialProvider.ts"
import { InvalidProviderOptionsError } from "./ProviderOptionsError.ts"

/** Options of {@link envProvider}. */
export interface EnvProviderOptions {
  /**
   * The variables that may be read: exact names (`"GITHUB_TOKEN"`), or a prefix followed by one star (`"ACME_*"`).
   *
   * Names are compared exactly, upper and lower case apart, on every platform. A star alone is refused.
   */
  readonly allow: ReadonlyArray<string>
  /** Where to read, at each call. Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** Default: `"env"`. Needed when one executor has two of them. */
  readonly key?: string | undefined
}

/**
 * A read-only, listable provider of environment variables.
 *
 * A variable outside the allow-list answers `undefined`, as one that is not set: what may not be read is not here, a chain
 * asks its next provider, and nobody learns which variables exist. A variable set to the empty text is here, and empty.
 * One whose bytes are not UTF-8, which Node has already replaced, fails with `ProviderDeniedError` (`not_utf8`).
 *
 * @throws InvalidProviderOptionsError when `allow` is empty or holds what cannot be a variable's name.
 *
 * @example
 * ```ts
 * import { createExecutor, envProvider } from "@keyward/core"
 *
 * const executor = await createExecutor({ providers: [envProvider({ allow: ["GITHUB_TOKEN", "ACME_*"] })] })
 * ```
 */
export const envProvider = (options: EnvProviderOptions): CredentialProvider => {
  const { allow, key = "env" } = options
  const isAllowed = allowList(key, allow)
  const read = (name: string): string | undefined => {
    const env = options.env ?? process.env
    return isAllowed(name) && Object.hasOwn(env, name) ? env[name] : undefined
  }
  return {
    key,
    writable: false,
    get: (id) =>
      Effect.suspend(() => {
        const value = read(id)
        if (value === undefined) return Effect.undefined
        return value.includes(replacementCharacter) ? Effect.fail(notUtf8(key)) : Effect.succeed(Redacted.make(value))
      }),
    has: (id) => Effect.sync(() => read(id) !== undefined),
    list: () =>
      Effect.sync(() =>
        Object.keys(options.env ?? process.env)
          .filter((name) => read(name) !== undefined)
          .sort()
          .map((name) => ({ id: name, name })),
      ),
  }
}

/** Printable ASCII but `=` and `*`: others cannot be told apart safely once the system sees them, as with a NUL. */
const variableName = /^[\x21-\x29\x2b-\x3c\x3e-\x7e]+$/

const replacementCharacter = "\ufffd"

const allowList = (provider: string, allow: ReadonlyArray<string>): ((name: string) => boolean) => {
  const invalid = (problem: string): InvalidProviderOptionsError =>
    new InvalidProviderOptionsError({ provider, option: "allow", problem })
  if (!Array.isArray(allow) || allow.length === 0) {
    throw invalid('Name the variables it may read, for instance `allow: ["GITHUB_TOKEN", "ACME_*"]`.')
  }
  const names = new Set<string>()
  const prefixes: Array<string> = []
  for (const [index, entry] of allow.entries()) {
    const isPrefix = typeof entry === "string" && entry.endsWith("*")
    const name = isPrefix ? entry.slice(0, -1) : entry
    if (typeof name !== "string" || !variableName.test(name)) {
      throw invalid(
        `Its entry ${index} is neither a variable's name nor a prefix with one star at its end; a star alone would allow every variable.`,
      )
    }
    if (isPrefix) prefixes.push(name)
    else names.add(name)
  }
  return (name) => names.has(name) || (variableName.test(name) && prefixes.some((prefix) => name.startsWith(prefix)))
}

const notUtf8 = (provider: string): ProviderDeniedError =>
  new ProviderDeniedError({
    provider,
    reason: "not_utf8",
    nextStep:
      "The variable holds bytes that are not UTF-8 and were lost; set it to text, for instance to the base64 of the bytes.",
  })
