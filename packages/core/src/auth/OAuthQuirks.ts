/**
 * How a provider departs from the standards, as data on a template or a client, so that the protocol's own code stays pure.
 *
 * `docs/guides/write-a-provider-quirk.md` has a table of known providers. Every field is optional; absent means: as the RFC says.
 */
import * as Result from "effect/Result"
import { quote } from "../error/KeywardError.ts"

/** Where to find what a token endpoint answers, as dotted paths such as `authed_user.access_token`. */
export interface TokenResponsePaths {
  readonly accessToken?: string | undefined
  readonly refreshToken?: string | undefined
  readonly expiresIn?: string | undefined
  /** An absolute time instead of `expires_in`: epoch seconds, epoch milliseconds or an ISO 8601 text. */
  readonly expiresAt?: string | undefined
  readonly scope?: string | undefined
  readonly tokenType?: string | undefined
  readonly error?: string | undefined
  readonly errorDescription?: string | undefined
}

/** See the file's header. */
export interface OAuthQuirks {
  /** Between scopes in requests and answers. Default: a space. */
  readonly scopeSeparator?: " " | "," | "+" | undefined
  /** The name of the scope parameter in the authorization request, such as `user_scope`. */
  readonly scopeParameter?: string | undefined
  /** The name of the client id parameter, such as `client_key`. */
  readonly clientIdParameter?: string | undefined
  /**
   * `refused`: the server rejects requests that carry a code challenge. `advertised`: the flow is only started where the server's metadata
   * says that it knows S256, as the MCP specification wants it. Default: S256.
   */
  readonly pkce?: "S256" | "advertised" | "refused" | undefined
  /**
   * `raw`: id and secret are not form-urlencoded before Basic's base64. `secret_as_user`: the secret is the user name, the password is
   * empty, and no client id is sent.
   */
  readonly basicEncoding?: "form" | "raw" | "secret_as_user" | undefined
  /** How parameters travel to the token endpoint. Default: `form`. */
  readonly tokenRequestFormat?: "form" | "json" | undefined
  /** Statuses of a token answer that mean success. Default: 200. */
  readonly successStatuses?: ReadonlyArray<number> | undefined
  readonly tokenResponse?: TokenResponsePaths | undefined
  /** Used where the answer names no type, or one of the provider's own, such as `user`. */
  readonly tokenType?: "Bearer" | "DPoP" | undefined
  /** Seconds that a token lives where the answer does not say. */
  readonly expiresInSeconds?: number | undefined
  /** Provider error codes by the standard code that they mean: `{ bad_refresh_token: "invalid_grant" }`. */
  readonly errorCodes?: Readonly<Record<string, string>> | undefined
  /** Added to every token request; cannot override protocol parameters. */
  readonly tokenParams?: Readonly<Record<string, string>> | undefined
  /** Added to refresh requests. */
  readonly refreshParams?: Readonly<Record<string, string>> | undefined
  /** Refreshes go here instead of to the token endpoint; same origin or one of `tokenHosts`. */
  readonly refreshUrl?: string | undefined
  /** Sends the scope with each refresh. */
  readonly scopeOnRefresh?: boolean | undefined
  /** The callback parameter that names the regional host of the token endpoint, such as `domain` or `accounts-server`. */
  readonly tokenHostParameter?: string | undefined
  /** The hosts that such a parameter may name, exactly. */
  readonly tokenHosts?: ReadonlyArray<string> | undefined
  /** Revokes by another form than RFC 7009. `none`: the server cannot revoke. */
  readonly revocation?: "rfc7009" | "none" | undefined
}

/** Checks quirks as they were written; answers with the field at fault and what it must be. */
export const parseQuirks = (
  input: unknown,
): Result.Result<OAuthQuirks, { readonly field: string; readonly fault: string }> => {
  if (input === undefined) return Result.succeed({})
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    return Result.fail({ field: "quirks", fault: "must be an object." })
  }
  for (const [name, value] of Object.entries(input)) {
    const check = checks.get(name)
    if (check === undefined) {
      return Result.fail({
        field: `quirks.${name}`,
        fault: `is not a quirk. Quirks: ${[...checks.keys()].join(", ")}.`,
      })
    }
    const fault = value === undefined ? undefined : check(value)
    if (fault !== undefined) return Result.fail({ field: `quirks.${name}`, fault })
  }
  return Result.succeed(structuredClone(input) as OAuthQuirks)
}

type Check = (value: unknown) => string | undefined

const oneOf =
  (...values: ReadonlyArray<string>): Check =>
  (value) =>
    values.includes(value as string) ? undefined : `must be one of ${values.map((one) => quote(one)).join(", ")}.`

const parameterName: Check = (value) =>
  typeof value === "string" && /^[\w.-]{1,64}$/.test(value) ? undefined : "must be the name of a parameter."

const texts: Check = (value) =>
  isRecord(value) && Object.values(value).every((text) => typeof text === "string")
    ? undefined
    : "must be an object of texts."

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const paths: Check = (value) =>
  isRecord(value) &&
  Object.entries(value).every(
    ([name, path]) => pathNames.has(name) && typeof path === "string" && /^[\w-]+(\.[\w-]+)*$/.test(path),
  )
    ? undefined
    : `must give dotted paths for some of ${[...pathNames].join(", ")}.`

const pathNames: ReadonlySet<string> = new Set([
  "accessToken",
  "refreshToken",
  "expiresIn",
  "expiresAt",
  "scope",
  "tokenType",
  "error",
  "errorDescription",
] satisfies ReadonlyArray<keyof TokenResponsePaths>)

const checks: ReadonlyMap<string, Check> = new Map<keyof OAuthQuirks, Check>([
  ["scopeSeparator", oneOf(" ", ",", "+")],
  ["scopeParameter", parameterName],
  ["clientIdParameter", parameterName],
  ["pkce", oneOf("S256", "advertised", "refused")],
  ["basicEncoding", oneOf("form", "raw", "secret_as_user")],
  ["tokenRequestFormat", oneOf("form", "json")],
  [
    "successStatuses",
    (value) =>
      Array.isArray(value) && value.every((status) => Number.isInteger(status) && status >= 200 && status < 300)
        ? undefined
        : "must be a list of statuses from 200 to 299.",
  ],
  ["tokenResponse", paths],
  ["tokenType", oneOf("Bearer", "DPoP")],
  [
    "expiresInSeconds",
    (value) =>
      typeof value === "number" && value > 0 && Number.isFinite(value) ? undefined : "must be seconds above 0.",
  ],
  ["errorCodes", texts],
  ["tokenParams", texts],
  ["refreshParams", texts],
  [
    "refreshUrl",
    (value) =>
      typeof value === "string" && /^https?:$/.test(URL.parse(value)?.protocol ?? "")
        ? undefined
        : "must be an absolute http(s) URL.",
  ],
  ["scopeOnRefresh", (value) => (typeof value === "boolean" ? undefined : "must be true or false.")],
  ["tokenHostParameter", parameterName],
  [
    "tokenHosts",
    (value) =>
      Array.isArray(value) &&
      value.length > 0 &&
      value.every((host) => typeof host === "string" && URL.parse(`https://${host}/`)?.host === host)
        ? undefined
        : "must be a list of hosts, such as accounts.example.eu.",
  ],
  ["revocation", oneOf("rfc7009", "none")],
])
