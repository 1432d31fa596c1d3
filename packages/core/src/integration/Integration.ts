/**
 * A service that a tenant can connect to: where it is, how it authenticates, which plugin speaks to it.
 *
 * Registered by plugins through their context; kept once per tenant and slug, with a revision that counts its changes.
 */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import {
  type AuthTemplate,
  type CompiledTemplate,
  compileTemplate,
  type InvalidAuthTemplateError,
  noAuthSlug,
  noneTemplate,
} from "../auth/AuthTemplate.ts"
import { parseAuthTemplates } from "../auth/parseAuthTemplates.ts"
import { joinOrigins } from "../connection/Connection.ts"
import { quote } from "../error/KeywardError.ts"
import { type OriginBinding, parseOrigin } from "../http/originBinding.ts"
import { defaultIdentityMode, type IdentityMode, identityModes, isIdentityMode } from "../identity/IdentityMode.ts"
import { InvalidIntegrationInputError } from "./IntegrationError.ts"

/** What a plugin registers. */
export interface IntegrationInput {
  /** Part of every address: letters, digits, `_`, `-` and `$`, no dots. Registering a slug again updates it in place. */
  readonly slug: string
  /** Default: the slug. */
  readonly name?: string | undefined
  readonly description?: string | undefined
  /** What relative URLs resolve against. Default: the first origin. */
  readonly baseUrl?: string | undefined
  /** Where its credentials may be sent. Default: the base URL's origin. Empty: nowhere. */
  readonly origins?: ReadonlyArray<string> | undefined
  readonly authTemplates?: ReadonlyArray<AuthTemplate> | undefined
  /** Whose account calls run as. Default: as it was registered or set before, `"either"` at first. */
  readonly identityMode?: IdentityMode | undefined
  /** The plugin's own data, plain JSON; handed back with every call. */
  readonly config?: unknown
}

/** An integration as hosts see it. */
export interface Integration {
  readonly slug: string
  readonly name: string
  readonly description: string | null
  /** The id of its plugin. */
  readonly plugin: string
  readonly baseUrl: string | null
  readonly origins: ReadonlyArray<string>
  readonly authTemplates: ReadonlyArray<AuthTemplate>
  /** Whose account calls run as. */
  readonly identityMode: IdentityMode
  /** Counts changes from 1. */
  readonly revision: number
}

/** An integration as stores keep it and plugins see it. */
export interface IntegrationRecord extends Omit<Integration, "identityMode"> {
  readonly tenant: string
  /** Absent in records from before there were modes; read it with `identityModeOf`. */
  readonly identityMode?: IdentityMode
  readonly config: unknown
  /** Tells whether a registration changes anything. */
  readonly fingerprint: string
}

/** What the call path needs of an integration, derived once per revision. */
export interface CompiledIntegration {
  readonly binding: OriginBinding
  /** See `joinOrigins`. */
  readonly origins: string
  readonly template: (slug: string) => CompiledTemplate | undefined
}

/** Checks a registration and makes the record of revision 1; fails with the field at fault. */
export const makeIntegrationRecord = (
  tenant: string,
  plugin: { readonly id: string; readonly version?: string | undefined },
  input: IntegrationInput,
): Effect.Effect<IntegrationRecord, InvalidIntegrationInputError | InvalidAuthTemplateError> =>
  Effect.gen(function* () {
    const { slug } = input
    if (typeof slug !== "string" || !slugForm.test(slug)) {
      return yield* invalid("slug", `${quote(slug)} must be 1 to 128 letters, digits, "_", "-" or "$", without dots.`)
    }
    const baseUrl = yield* checkedBaseUrl(input.baseUrl)
    const origins = yield* checkedOrigins(input.origins ?? (baseUrl === null ? [] : [new URL(baseUrl).origin]))
    if (baseUrl !== null && !origins.includes(new URL(baseUrl).origin)) {
      return yield* invalid("baseUrl", `its origin is not among the origins ${origins.join(", ")}.`)
    }
    const authTemplates = yield* Effect.fromResult(parseAuthTemplates(input.authTemplates ?? []))
    const { identityMode } = input
    if (identityMode !== undefined && !isIdentityMode(identityMode)) return yield* invalidMode(identityMode)
    const config = input.config ?? null
    const content = {
      slug,
      name: input.name ?? slug,
      description: input.description ?? null,
      plugin: plugin.id,
      baseUrl: baseUrl ?? origins[0] ?? null,
      origins,
      authTemplates,
    }
    const text = yield* serialized({ ...content, config, version: plugin.version ?? null })
    return {
      ...content,
      ...(identityMode === undefined ? {} : { identityMode }),
      config,
      tenant,
      revision: 1,
      fingerprint: createHash("sha256").update(text).digest("base64url"),
    }
  })

/** What a host sees of a record. */
export const toIntegration = (record: IntegrationRecord): Integration => ({
  slug: record.slug,
  name: record.name,
  description: record.description,
  plugin: record.plugin,
  baseUrl: record.baseUrl,
  origins: [...record.origins],
  authTemplates: structuredClone(record.authTemplates),
  identityMode: identityModeOf(record),
  revision: record.revision,
})

/** Whose account the calls of an integration run as. */
export const identityModeOf = ({ identityMode }: Pick<IntegrationRecord, "identityMode">): IdentityMode =>
  identityMode ?? defaultIdentityMode

/** The failure of a value that is no mode. */
export const invalidMode = (given: unknown): Effect.Effect<never, InvalidIntegrationInputError> =>
  invalid("identityMode", `${quote(given)} must be one of ${identityModes.map((mode) => quote(mode)).join(", ")}.`)

/** The derived form of a record; kept as long as the record object lives. */
export const compiledIntegration = (record: IntegrationRecord): CompiledIntegration => {
  const known = compiled.get(record)
  if (known !== undefined) return known
  const templates = new Map(record.authTemplates.map((template) => [template.slug, compileTemplate(template)]))
  if (!templates.has(noAuthSlug)) templates.set(noAuthSlug, compileTemplate(noneTemplate))
  const result: CompiledIntegration = {
    binding: { baseUrl: record.baseUrl, origins: record.origins },
    origins: joinOrigins(record.origins),
    template: (slug) => templates.get(slug),
  }
  compiled.set(record, result)
  return result
}

const compiled = new WeakMap<IntegrationRecord, CompiledIntegration>()

const slugForm = /^[\p{L}\p{M}\p{N}_$-]{1,128}$/u

const checkedBaseUrl = (baseUrl: string | undefined): Effect.Effect<string | null, InvalidIntegrationInputError> => {
  if (baseUrl === undefined) return Effect.succeed(null)
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    return invalid("baseUrl", `${quote(baseUrl)} is not an absolute http(s) URL.`)
  }
  if (url.username !== "" || url.password !== "") {
    return invalid("baseUrl", "holds user information; put the credential into a connection.")
  }
  return Effect.succeed(url.href)
}

const checkedOrigins = (
  origins: ReadonlyArray<string>,
): Effect.Effect<ReadonlyArray<string>, InvalidIntegrationInputError> =>
  Effect.gen(function* () {
    const checked = new Set<string>()
    for (const [index, origin] of origins.entries()) {
      const parsed = parseOrigin(origin)
      if ("fault" in parsed) return yield* invalid(`origins[${index}]`, `${quote(origin)} ${parsed.fault}.`)
      checked.add(parsed.origin)
    }
    return [...checked]
  })

const serialized = (value: unknown): Effect.Effect<string, InvalidIntegrationInputError> =>
  Effect.catch(Effect.try({ try: () => JSON.stringify(value), catch: () => undefined }), () =>
    invalid("config", "must be plain JSON: no cycles, no bigint."),
  )

const invalid = (field: string, fault: string): Effect.Effect<never, InvalidIntegrationInputError> =>
  Effect.fail(new InvalidIntegrationInputError({ field, fault }))
