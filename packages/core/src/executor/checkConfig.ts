/**
 * Checks what a host passes to `createExecutor`, so that a config that cannot work says so at once and not with the first call.
 */
import * as Effect from "effect/Effect"
import { readAuditKeys } from "../audit/auditChain.ts"
import { quote } from "../error/KeywardError.ts"
import { makeAddressPolicy } from "../http/AddressPolicy.ts"
import type { EgressOptions } from "../http/Egress.ts"
import { checkSealOptions } from "../identity/SealedIdentity.ts"
import { readApprovalKeys } from "../policy/approvalSignature.ts"
import { policyActions } from "../policy/Policy.ts"
import { type AuditOptions, type ExecutorConfig, InvalidConfigError } from "./ExecutorConfig.ts"

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
