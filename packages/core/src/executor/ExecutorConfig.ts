/**
 * What a host passes to `createExecutor`, and the checks that make a config which cannot work fail there.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Tracer } from "effect/Tracer"
import { type AuditKeyMaterial, readAuditKeys } from "../audit/auditChain.ts"
import type { ConnectionNeed } from "../connection/ConnectionNeed.ts"
import type { CredentialProvider } from "../credential/CredentialProvider.ts"
import { quote, taggedError } from "../error/KeywardError.ts"
import { makeAddressPolicy } from "../http/AddressPolicy.ts"
import type { EgressOptions } from "../http/Egress.ts"
import { checkSealOptions, type OpenIdentityOptions } from "../identity/SealedIdentity.ts"
import type { Plugin } from "../integration/Plugin.ts"
import type { Store } from "../integration/Store.ts"
import { type ApprovalKeyMaterial, readApprovalKeys } from "../policy/approvalSignature.ts"
import type { DefaultPolicy } from "../policy/decide.ts"
import { policyActions } from "../policy/Policy.ts"
import type { ElicitationHandler } from "../tool/Elicitation.ts"
import type { ExecutorEvent } from "./ExecutorEvent.ts"

/** The config of one executor; everything is optional. */
export interface ExecutorConfig<Plugins extends ReadonlyArray<Plugin> = ReadonlyArray<Plugin>> {
  /** Default `"default"`. */
  readonly tenant?: string | undefined
  /** The acting user; leave out for an organisation-only executor. */
  readonly subject?: string | undefined
  readonly plugins?: Plugins | undefined
  /** The first writable one receives pasted values and minted tokens. */
  readonly providers?: ReadonlyArray<CredentialProvider> | undefined
  /** Where records are kept. Default: in memory. */
  readonly store?: Store | undefined
  /** Where authorization servers send people back to. */
  readonly redirectUri?: string | undefined
  /** What people read on the consent page of a server where the host registers itself. Default `"Keyward"`. */
  readonly clientName?: string | undefined
  /** Where the host serves its Client ID Metadata Document; used instead of registering where the server supports that. */
  readonly clientMetadataUrl?: string | undefined
  /** With what `withSealedIdentity` opens tokens, and whether callers that were not sealed are refused. */
  readonly sealedIdentity?: SealedIdentityConfig | undefined
  /**
   * Where the host sends people to connect an account: a URL, or a function of what is needed. Said in results that need a connection
   * (`connection_required`) or one that an OAuth flow made to be connected again.
   */
  readonly connectUrl?: string | ((need: ConnectionNeed) => string) | undefined
  /** Who answers questions. Default: nobody, so that approvals are declined; `"defer"` lets them be answered later. */
  readonly onElicitation?: ElicitationHandler | undefined
  /**
   * What decides about a call that no rule of the organisation is about. Default `annotations`: a person is asked before what may destroy
   * and before a write of unknown effect, unless a rule of the user says otherwise. An action counts as the organisation's last rule.
   */
  readonly defaultPolicy?: DefaultPolicy | undefined
  readonly approvals?: ApprovalOptions | undefined
  /** Whether what happens is kept in the store, and how: `executor.audit`. Default: it is not. */
  readonly audit?: boolean | AuditOptions | undefined
  /**
   * Where spans go: a `Tracer` of `effect`, of an exporter or made of OpenTelemetry's. Default: there are none. In an Effect program
   * `yield* Effect.tracer` is the one that is in force.
   */
  readonly tracer?: Tracer | undefined
  readonly egress?: EgressOptions | undefined
  /** Lifecycle and audit events. What it throws is ignored. */
  readonly onEvent?: ((event: ExecutorEvent) => void) | undefined
  /** Milliseconds for one call of a provider that declares no limit of its own. Default 15 000. */
  readonly providerTimeoutMs?: number | undefined
  /** Milliseconds for one tool call, questions to people not counted. Default 120 000. */
  readonly toolTimeoutMs?: number | undefined
  /** Milliseconds that a person has for an answer. Default 600 000. */
  readonly elicitationTimeoutMs?: number | undefined
}

/** How approvals that are kept are signed, and for how long they hold. */
export interface ApprovalOptions {
  /**
   * What signs approvals: 32 bytes or more, or base64 of them, the same in every process; of several the first signs and all are
   * believed. Default: a key of this process, so that approvals end with it.
   */
  readonly key?: ApprovalKeyMaterial | ReadonlyArray<ApprovalKeyMaterial> | undefined
  /** Milliseconds from a question to its end unanswered, and from an answer to its end. Default 86 400 000, a day. */
  readonly expiresAfterMs?: number | undefined
}

/** How an audit trail is made. */
export interface AuditOptions {
  /**
   * What the chain is made with: 32 bytes or more, or base64 of them, the same in every process, and not kept where the store is. Of
   * several the first makes new entries and all are believed. Default: none, so that whoever can write to the store can make another
   * chain.
   */
  readonly key?: AuditKeyMaterial | ReadonlyArray<AuditKeyMaterial> | undefined
  /**
   * Whether calls' arguments are kept: without the connection's secrets, without what has the name of a secret, and cut at 4,096
   * characters; none of a call whose secrets are not known because it was not authorized. Default: they are not.
   */
  readonly arguments?: "redacted" | undefined
  /** Milliseconds after which calls are written at the latest; what a process that is killed may lose. Default 250. */
  readonly flushMs?: number | undefined
  /** How many entries wait in memory at most while the store cannot be reached. Default 10,000. */
  readonly maxPending?: number | undefined
  /**
   * What happens when that many wait: calls go on and the trail says how many it misses (`drop`), or calls fail with
   * `StoreUnavailableError` (`refuse`). Default `drop`.
   */
  readonly onFull?: "drop" | "refuse" | undefined
}

/** How an executor opens the tokens of its host's edge. */
export interface SealedIdentityConfig extends OpenIdentityOptions {
  /** Whether `withIdentity` takes nothing but what came out of a token, and `asAgent` nothing but a key. Default: no. */
  readonly isRequired?: boolean | undefined
}

/** A config that cannot work; `field` names the part at fault. */
export class InvalidConfigError extends taggedError<InvalidConfigError>()(
  "InvalidConfigError",
  { field: Schema.String, fault: Schema.String },
  400,
) {
  override get message(): string {
    return `createExecutor ${this.field}: ${this.fault}`
  }
}

/** Names that a plugin's extension may not take, because the executor has them. */
const reservedNames: ReadonlySet<string> = new Set([
  "identity",
  "withIdentity",
  "withSealedIdentity",
  "connections",
  "integrations",
  "providers",
  "tools",
  "oauth",
  "policies",
  "agents",
  "approvals",
  "audit",
  "execute",
  "call",
  "close",
  "asAgent",
  "then",
  "constructor",
])

/** Checks a config; fails at the first fault with what to change. */
export const checkConfig = (config: ExecutorConfig): Effect.Effect<void, InvalidConfigError> =>
  Effect.gen(function* () {
    for (const key of Object.keys(config)) {
      if (!knownKeys.has(key)) {
        return yield* invalid(key, `is not an option. Options: ${[...knownKeys].join(", ")}.`)
      }
    }
    yield* checkUnique("providers", config.providers?.map(({ key }) => key) ?? [])
    yield* checkUnique("plugins", config.plugins?.map(({ id }) => id) ?? [])
    for (const { id } of config.plugins ?? []) {
      if (!/^[A-Za-z_$][\w$]*$/.test(id) || reservedNames.has(id) || id.startsWith("__")) {
        return yield* invalid(
          "plugins",
          `the plugin id ${quote(id)} cannot be a property of the executor; rename the plugin.`,
        )
      }
    }
    if (config.redirectUri !== undefined) yield* checkRedirectUri(config.redirectUri)
    if (config.clientMetadataUrl !== undefined) yield* checkClientMetadataUrl(config.clientMetadataUrl)
    if (config.clientName !== undefined && !(typeof config.clientName === "string" && config.clientName !== "")) {
      return yield* invalid("clientName", "must be text that people can read.")
    }
    if (config.sealedIdentity !== undefined) {
      yield* Effect.mapError(
        checkSealOptions(config.sealedIdentity),
        ({ field, fault }) => new InvalidConfigError({ field: `sealedIdentity.${field}`, fault }),
      )
    }
    if (typeof config.connectUrl === "string" && !URL.canParse(config.connectUrl)) {
      return yield* invalid("connectUrl", `${quote(config.connectUrl)} is not an absolute URL.`)
    }
    for (const field of ["providerTimeoutMs", "toolTimeoutMs", "elicitationTimeoutMs"] as const) {
      yield* checkLimit(field, config[field])
    }
    yield* checkApprovals(config)
    yield* checkAudit(config.audit)
    if (config.tracer !== undefined && typeof (config.tracer as { span?: unknown } | null)?.span !== "function") {
      return yield* invalid("tracer", "must be a Tracer of effect.")
    }
    for (const key of Object.keys(config.egress ?? {})) {
      if (!egressKeys.has(key)) {
        return yield* invalid(`egress.${key}`, `is not an option. Options: ${[...egressKeys].join(", ")}.`)
      }
    }
    const { maxRedirects } = config.egress ?? {}
    if (maxRedirects !== undefined && !(Number.isInteger(maxRedirects) && maxRedirects >= 0)) {
      return yield* invalid("egress.maxRedirects", "must be a whole number, 0 or more.")
    }
    for (const field of ["timeoutMs", "maxResponseBytes"] as const) {
      yield* checkLimit(`egress.${field}`, config.egress?.[field])
    }
    yield* Effect.try({
      try: () => makeAddressPolicy(config.egress?.allowHosts ?? []),
      catch: (thrown) =>
        new InvalidConfigError({
          field: "egress.allowHosts",
          fault: thrown instanceof Error ? thrown.message : "unusable.",
        }),
    })
  })

const knownKeys: ReadonlySet<string> = new Set([
  "tenant",
  "subject",
  "plugins",
  "providers",
  "store",
  "redirectUri",
  "clientName",
  "clientMetadataUrl",
  "connectUrl",
  "sealedIdentity",
  "onElicitation",
  "defaultPolicy",
  "approvals",
  "audit",
  "tracer",
  "egress",
  "onEvent",
  "providerTimeoutMs",
  "toolTimeoutMs",
  "elicitationTimeoutMs",
] satisfies ReadonlyArray<keyof ExecutorConfig>)

const egressKeys: ReadonlySet<string> = new Set([
  "allowHosts",
  "timeoutMs",
  "maxResponseBytes",
  "maxRedirects",
  "fetch",
] satisfies ReadonlyArray<keyof EgressOptions>)

const checkApprovals = ({
  defaultPolicy = "annotations",
  onElicitation,
  approvals,
  store,
}: ExecutorConfig): Effect.Effect<void, InvalidConfigError> => {
  if (defaultPolicy !== "annotations" && !(policyActions as ReadonlyArray<unknown>).includes(defaultPolicy)) {
    return invalid("defaultPolicy", `must be "annotations" or one of ${policyActions.join(", ")}.`)
  }
  if (approvals?.key !== undefined && readApprovalKeys(approvals.key) === undefined) {
    return invalid("approvals.key", "must be 32 bytes or more, or base64 of them, or several such keys.")
  }
  if (onElicitation === "defer" && store !== undefined && approvals?.key === undefined) {
    const fault = "is needed to answer later what a store keeps: 32 random bytes, the same in every process."
    return invalid("approvals.key", fault)
  }
  const unknown = Object.keys(approvals ?? {}).find((key) => key !== "key" && key !== "expiresAfterMs")
  return unknown === undefined
    ? checkLimit("approvals.expiresAfterMs", approvals?.expiresAfterMs)
    : invalid(`approvals.${unknown}`, "is not an option. Options: key, expiresAfterMs.")
}

const checkAudit = (audit: ExecutorConfig["audit"]): Effect.Effect<void, InvalidConfigError> => {
  if (audit === undefined || typeof audit === "boolean") return Effect.void
  if (typeof audit !== "object" || audit === null) return invalid("audit", "must be true, false or options.")
  const unknown = Object.keys(audit).find((key) => !auditKeys.has(key))
  if (unknown !== undefined) {
    return invalid(`audit.${unknown}`, `is not an option. Options: ${[...auditKeys].join(", ")}.`)
  }
  if (readAuditKeys(audit.key) === undefined) {
    return invalid("audit.key", "must be 32 bytes or more, or base64 of them, or several such keys.")
  }
  if (audit.arguments !== undefined && audit.arguments !== "redacted") {
    return invalid("audit.arguments", 'must be "redacted", or left out.')
  }
  if (audit.onFull !== undefined && audit.onFull !== "drop" && audit.onFull !== "refuse") {
    return invalid("audit.onFull", 'must be "drop" or "refuse".')
  }
  return Effect.andThen(checkLimit("audit.flushMs", audit.flushMs), checkLimit("audit.maxPending", audit.maxPending))
}

const auditKeys: ReadonlySet<string> = new Set([
  "key",
  "arguments",
  "flushMs",
  "maxPending",
  "onFull",
] satisfies ReadonlyArray<keyof AuditOptions>)

const checkUnique = (field: string, names: ReadonlyArray<string>): Effect.Effect<void, InvalidConfigError> => {
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  const empty = names.some((name) => typeof name !== "string" || name === "")
  if (empty) return invalid(field, "each needs a key or id.")
  return twice === undefined
    ? Effect.void
    : invalid(field, `two of them are called ${quote(twice)}; give one another key, or leave it out.`)
}

const checkRedirectUri = (redirectUri: string): Effect.Effect<void, InvalidConfigError> => {
  const url = URL.canParse(redirectUri) ? new URL(redirectUri) : undefined
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    return invalid("redirectUri", `${quote(redirectUri)} is not an absolute http(s) URL.`)
  }
  // RFC 6749, section 3.1.2: a redirection endpoint has no fragment.
  if (redirectUri.includes("#")) return invalid("redirectUri", "must not have a fragment (#…).")
  if (url.protocol === "http:" && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)) {
    return invalid("redirectUri", "must be https, except on loopback: authorization codes would travel in clear.")
  }
  return Effect.void
}

/** The rules of draft-ietf-oauth-client-id-metadata-document, section 3, for a client id that is a URL. */
const checkClientMetadataUrl = (clientMetadataUrl: string): Effect.Effect<void, InvalidConfigError> => {
  const url = typeof clientMetadataUrl === "string" ? URL.parse(clientMetadataUrl) : null
  const isUsable =
    url !== null &&
    url.protocol === "https:" &&
    url.username === "" &&
    url.password === "" &&
    url.pathname !== "/" &&
    !clientMetadataUrl.includes("#") &&
    !/\/\.{1,2}(\/|$|\?)/.test(clientMetadataUrl)
  return isUsable
    ? Effect.void
    : invalid(
        "clientMetadataUrl",
        "must be an https URL with a path, without user information, fragment or dot segments.",
      )
}

const checkLimit = (field: string, value: number | undefined): Effect.Effect<void, InvalidConfigError> =>
  value === undefined || (Number.isFinite(value) && value > 0)
    ? Effect.void
    : invalid(field, "must be a number above 0.")

const invalid = (field: string, fault: string): Effect.Effect<never, InvalidConfigError> =>
  Effect.fail(new InvalidConfigError({ field, fault }))
