/**
 * Providers that depart from the standards, as data: what their templates say, what they answer, and what must come of it.
 *
 * `docs/guides/write-a-provider-quirk.md` has the same providers in a table.
 */
import type { UpstreamAnswer } from "@keyward/core/testing"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { type OAuthQuirks, parseQuirks } from "../../src/auth/OAuthQuirks.ts"
import type { ClientCredential } from "../../src/oauth/ClientAuthentication.ts"
import type { TokenContext, TokenRequest } from "../../src/oauth/TokenEndpoint.ts"
import type { TokenRequestError } from "../../src/oauth/tokenFailure.ts"
import { clear, failureOf, refresh, tokenServer, tokensOf } from "./tokenServer.ts"

const code: TokenRequest = {
  type: "authorization_code",
  code: Redacted.make("code-1"),
  redirectUri: "https://app.example/cb",
  codeVerifier: undefined,
  resource: null,
}

const scoped = (scope: string): TokenRequest => ({
  type: "refresh_token",
  refreshToken: Redacted.make("r1"),
  scope,
  resource: null,
})

const basic: Partial<ClientCredential> = { method: "client_secret_basic" }

interface Exchange {
  readonly request: TokenRequest
  readonly answer: UpstreamAnswer
  /** Of the tokens; `life` is in milliseconds. */
  readonly gives?: Partial<ReturnType<typeof clear>> & { readonly life?: number | null }
  readonly fails?: Partial<Pick<TokenRequestError, "kind" | "code">>
  readonly sends?: Readonly<Record<string, string>>
  readonly sendsNot?: ReadonlyArray<string>
  readonly authorization?: string
  readonly contentType?: string
}

interface Provider {
  readonly quirks: OAuthQuirks
  readonly client?: Partial<ClientCredential>
  readonly exchanges: Readonly<Record<string, Exchange>>
}

const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString()

const slack: OAuthQuirks = {
  scopeSeparator: ",",
  pkce: "refused",
  tokenType: "Bearer",
  tokenResponse: {
    accessToken: "authed_user.access_token",
    refreshToken: "authed_user.refresh_token",
    expiresIn: "authed_user.expires_in",
    scope: "authed_user.scope",
    tokenType: "authed_user.token_type",
  },
  errorCodes: {
    invalid_refresh_token: "invalid_grant",
    token_revoked: "invalid_grant",
    ratelimited: "temporarily_unavailable",
  },
}

const tiktok: OAuthQuirks = {
  clientIdParameter: "client_key",
  scopeSeparator: ",",
  tokenResponse: {
    accessToken: "data.access_token",
    refreshToken: "data.refresh_token",
    expiresIn: "data.expires_in",
    scope: "data.scope",
    tokenType: "data.token_type",
    error: "data.error_code",
  },
  errorCodes: { "10008": "invalid_grant" },
}

const providers: Readonly<Record<string, Provider>> = {
  GitHub: {
    quirks: {
      scopeSeparator: ",",
      errorCodes: {
        bad_refresh_token: "invalid_grant",
        bad_verification_code: "invalid_grant",
        incorrect_client_credentials: "invalid_client",
      },
    },
    exchanges: {
      "a form, although JSON was asked for": {
        request: code,
        answer: {
          body: "access_token=gho_1&scope=repo%2Cgist&token_type=bearer",
          headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
        },
        gives: { accessToken: "gho_1", scope: "repo gist", life: null },
      },
      "a refresh token that is no longer good, in a 200": {
        request: refresh(),
        answer: {
          json: { error: "bad_refresh_token", error_description: "The refresh token passed is incorrect or expired." },
        },
        fails: { kind: "grant_dead", code: "invalid_grant" },
      },
      "a wrong secret, in a 200, as a form": {
        request: code,
        answer: {
          body: "error=incorrect_client_credentials&error_description=The+client_id+and%2For+client_secret+are+incorrect.",
          headers: { "content-type": "application/x-www-form-urlencoded" },
        },
        fails: { kind: "client_rejected", code: "invalid_client" },
      },
      "a device that is not confirmed yet, in a 200": {
        request: { type: "device_code", deviceCode: Redacted.make("device-1"), resource: null },
        answer: { json: { error: "authorization_pending" } },
        fails: { kind: "pending", code: "authorization_pending" },
      },
    },
  },
  Slack: {
    quirks: slack,
    exchanges: {
      "a user's tokens beside a bot's": {
        request: code,
        answer: {
          json: {
            ok: true,
            access_token: "xoxe.xoxb-bot",
            refresh_token: "xoxe-1-bot",
            token_type: "bot",
            expires_in: 1,
            scope: "commands",
            authed_user: {
              id: "U1",
              scope: "chat:write,users:read",
              access_token: "xoxe.xoxp-user",
              refresh_token: "xoxe-1-user",
              token_type: "user",
              expires_in: 43_200,
            },
          },
        },
        gives: {
          accessToken: "xoxe.xoxp-user",
          refreshToken: "xoxe-1-user",
          scope: "chat:write users:read",
          tokenType: "Bearer",
          life: 43_200_000,
        },
      },
      "a user's token without rotation takes no refresh token from the bot": {
        request: code,
        answer: {
          json: {
            ok: true,
            access_token: "xoxb-bot",
            refresh_token: "xoxe-1-bot",
            token_type: "bot",
            authed_user: { access_token: "xoxp-user", token_type: "user" },
          },
        },
        gives: { accessToken: "xoxp-user", refreshToken: undefined, life: null },
      },
      "a refresh, which is not nested": {
        request: refresh(),
        answer: {
          json: {
            ok: true,
            access_token: "xoxe.xoxp-2",
            refresh_token: "xoxe-1-2",
            token_type: "user",
            expires_in: 43_200,
          },
        },
        gives: { accessToken: "xoxe.xoxp-2", refreshToken: "xoxe-1-2", tokenType: "Bearer", life: 43_200_000 },
      },
      "a refusal, in a 200": {
        request: refresh(),
        answer: { json: { ok: false, error: "invalid_refresh_token" } },
        fails: { kind: "grant_dead", code: "invalid_grant" },
      },
      "too many requests, in a 200": {
        request: refresh(),
        answer: { json: { ok: false, error: "ratelimited" }, headers: { "retry-after": "30" } },
        fails: { kind: "transient", code: "temporarily_unavailable" },
      },
      "a refusal that nobody mapped": {
        request: code,
        answer: { json: { ok: false, error: "bad_redirect_uri" } },
        fails: { kind: "request_rejected", code: "bad_redirect_uri" },
      },
    },
  },
  Notion: {
    quirks: { tokenRequestFormat: "json", scopeSeparator: " " },
    client: basic,
    exchanges: {
      "a JSON request under Basic": {
        request: code,
        answer: {
          json: {
            access_token: "ntn_1",
            token_type: "bearer",
            bot_id: "b",
            workspace_id: "w",
            owner: { type: "user" },
          },
        },
        gives: { accessToken: "ntn_1", refreshToken: undefined, life: null, scope: null },
        sends: { grant_type: "authorization_code", code: "code-1", redirect_uri: "https://app.example/cb" },
        sendsNot: ["client_id", "client_secret"],
        authorization: `Basic ${btoa("client-1:secret-of-client-1")}`,
        contentType: "application/json",
      },
    },
  },
  "Microsoft Entra": {
    quirks: {
      scopeOnRefresh: true,
      errorCodes: { interaction_required: "invalid_grant", consent_required: "invalid_grant" },
    },
    exchanges: {
      "scopes with the refresh, a lifetime as text": {
        request: scoped("https://graph.microsoft.com/Mail.Read offline_access"),
        answer: {
          json: {
            access_token: "eyJ",
            token_type: "Bearer",
            expires_in: "3599",
            ext_expires_in: "3599",
            refresh_token: "0.A",
            id_token: "not.a.token",
            scope: "Mail.Read",
          },
        },
        gives: { accessToken: "eyJ", refreshToken: "0.A", life: 3_599_000, scope: "Mail.Read" },
        sends: { scope: "https://graph.microsoft.com/Mail.Read offline_access" },
      },
      "a person has to look at it": {
        request: refresh(),
        answer: {
          status: 400,
          json: { error: "interaction_required", error_codes: [50_076], suberror: "basic_action" },
        },
        fails: { kind: "grant_dead", code: "invalid_grant" },
      },
    },
  },
  Salesforce: {
    quirks: { expiresInSeconds: 7200 },
    exchanges: {
      "no lifetime in the answer": {
        request: code,
        answer: {
          json: {
            access_token: "00D!AR",
            token_type: "Bearer",
            refresh_token: "5Aep",
            instance_url: "https://x.my.salesforce.com",
            issued_at: "1700000000000",
            scope: "api refresh_token",
          },
        },
        gives: { accessToken: "00D!AR", refreshToken: "5Aep", life: 7_200_000 },
      },
      "a refresh without a new refresh token": {
        request: refresh(),
        answer: { json: { access_token: "00D!AS", token_type: "Bearer" } },
        gives: { accessToken: "00D!AS", refreshToken: undefined, life: 7_200_000 },
      },
    },
  },
  Shopify: {
    quirks: { scopeSeparator: ",", tokenParams: { expiring: "1" }, tokenRequestFormat: "json" },
    exchanges: {
      "an offline token that expires, without a type": {
        request: code,
        answer: {
          json: {
            access_token: "shpat_1",
            scope: "read_orders,write_orders",
            expires_in: 3600,
            refresh_token: "shprt_1",
            refresh_token_expires_in: 7_776_000,
          },
        },
        gives: {
          accessToken: "shpat_1",
          refreshToken: "shprt_1",
          scope: "read_orders write_orders",
          tokenType: "Bearer",
          life: 3_600_000,
        },
        sends: { expiring: "1", client_id: "client-1", client_secret: "secret-of-client-1" },
      },
    },
  },
  Instagram: {
    quirks: {
      tokenResponse: { accessToken: "data.0.access_token", scope: "data.0.permissions", error: "error_type" },
      expiresInSeconds: 3600,
      errorCodes: { OAuthException: "invalid_grant" },
    },
    exchanges: {
      "tokens in a list, without type and lifetime": {
        request: code,
        answer: {
          json: {
            data: [
              {
                access_token: "IGQ",
                user_id: "1",
                permissions: ["instagram_business_basic", "instagram_business_manage_messages"],
              },
            ],
          },
        },
        gives: {
          accessToken: "IGQ",
          scope: "instagram_business_basic instagram_business_manage_messages",
          life: 3_600_000,
        },
      },
      "an error of its own": {
        request: code,
        answer: {
          status: 400,
          json: { error_type: "OAuthException", code: 400, error_message: "Invalid authorization code" },
        },
        fails: { kind: "grant_dead", code: "invalid_grant" },
      },
    },
  },
  TikTok: {
    quirks: tiktok,
    exchanges: {
      "client_key, and everything nested": {
        request: scoped("user.info.basic video.list"),
        answer: {
          json: {
            data: {
              access_token: "act.1",
              refresh_token: "rft.1",
              expires_in: 86_400,
              scope: "user.info.basic,video.list",
              error_code: 0,
            },
            message: "success",
          },
        },
        gives: { accessToken: "act.1", refreshToken: "rft.1", scope: "user.info.basic video.list", life: 86_400_000 },
        sends: { client_key: "client-1", client_secret: "secret-of-client-1", scope: "user.info.basic,video.list" },
        sendsNot: ["client_id"],
      },
      "an error that is a number, in a 200": {
        request: refresh(),
        answer: { json: { data: { error_code: 10_008, description: "expired" }, message: "error" } },
        fails: { kind: "grant_dead", code: "invalid_grant" },
      },
    },
  },
  Figma: {
    quirks: { refreshUrl: "https://api.figma.com/v1/oauth/refresh", tokenHosts: ["api.figma.com"] },
    client: basic,
    exchanges: {
      "a refresh without a new refresh token": {
        request: refresh(),
        answer: { json: { access_token: "figu_2", token_type: "bearer", expires_in: 7_776_000 } },
        gives: { accessToken: "figu_2", refreshToken: undefined, life: 7_776_000_000 },
      },
    },
  },
  "Stripe Apps": {
    quirks: { basicEncoding: "secret_as_user", pkce: "refused", expiresInSeconds: 3600 },
    client: basic,
    exchanges: {
      "the secret as user name, and no client id": {
        request: code,
        answer: {
          json: {
            access_token: "sk_1",
            refresh_token: "rt_1",
            token_type: "bearer",
            scope: "stripe_apps",
            livemode: false,
          },
        },
        gives: { accessToken: "sk_1", refreshToken: "rt_1", life: 3_600_000 },
        sends: { grant_type: "authorization_code" },
        sendsNot: ["client_id", "client_secret", "code_verifier"],
        authorization: `Basic ${btoa("secret-of-client-1:")}`,
      },
    },
  },
  Sentry: {
    quirks: {
      successStatuses: [200, 201],
      tokenRequestFormat: "json",
      tokenResponse: { accessToken: "token", refreshToken: "refreshToken", expiresAt: "expiresAt", scope: "scopes" },
    },
    exchanges: {
      "201, other names, an absolute time": {
        request: code,
        answer: {
          status: 201,
          json: {
            id: "38",
            token: "sntr_1",
            refreshToken: "sntr_r1",
            dateCreated: inDays(0),
            expiresAt: "2099-01-01T00:00:00.000Z",
            scopes: ["org:read"],
          },
        },
        gives: { accessToken: "sntr_1", refreshToken: "sntr_r1", scope: "org:read", life: 10 * 365 * 86_400_000 },
      },
      "a time that has passed says nothing": {
        request: refresh(),
        answer: { status: 201, json: { token: "sntr_2", refreshToken: "sntr_r2", expiresAt: inDays(-1) } },
        gives: { accessToken: "sntr_2", life: null },
      },
    },
  },
  Jobber: {
    quirks: { expiresInSeconds: 3600 },
    exchanges: {
      "JSON as plain text, without type and lifetime": {
        request: refresh(),
        answer: {
          body: '{"access_token":"eyJ.1","refresh_token":"r2"}',
          headers: { "content-type": "text/plain; charset=utf-8" },
        },
        gives: { accessToken: "eyJ.1", refreshToken: "r2", tokenType: "Bearer", life: 3_600_000 },
      },
    },
  },
  Datadog: {
    quirks: { tokenHostParameter: "domain", tokenHosts: ["api.datadoghq.eu"] },
    exchanges: {
      "whatever host it is": {
        request: refresh(),
        answer: { json: { access_token: "dd_1", refresh_token: "dd_r2", token_type: "Bearer", expires_in: 3600 } },
        gives: { accessToken: "dd_1", refreshToken: "dd_r2" },
      },
    },
  },
}

const contextOf = async (
  { quirks, client = {} }: Provider,
  answer: UpstreamAnswer,
): Promise<{ readonly context: TokenContext; readonly sent: () => ReturnType<typeof sentOf> }> => {
  const parsed = Result.getOrThrow(parseQuirks(quirks))
  const { upstream, context } = await tokenServer(answer, { quirks: parsed })
  return {
    context: { ...context, client: { ...context.client, ...client } },
    sent: () => sentOf(upstream.requests[0]),
  }
}

const sentOf = (
  request: { readonly text: string; readonly headers: Readonly<Record<string, unknown>> } | undefined,
) => {
  const { authorization, "content-type": contentType } = request?.headers ?? {}
  const text = request?.text ?? ""
  const parameters = text.startsWith("{")
    ? (JSON.parse(text) as Readonly<Record<string, string>>)
    : Object.fromEntries(new URLSearchParams(text))
  return { parameters, authorization, contentType }
}

describe.each(Object.entries(providers))("%s", (_, provider) => {
  it.each(Object.entries(provider.exchanges))("%s", async (__, exchange) => {
    const { request, answer, gives, fails, sends = {}, sendsNot = [], authorization, contentType } = exchange
    const { context, sent } = await contextOf(provider, answer)
    if (fails !== undefined) {
      expect(await failureOf(context, request)).toMatchObject(fails)
    } else {
      const { life, ...expected } = gives ?? {}
      const { expiresAt, ...tokens } = clear(await tokensOf(context, request))
      expect(tokens).toMatchObject(expected)
      if (life !== undefined) expect(expiresAt).toBe(life === null ? null : tokens.issuedAt + life)
    }
    const { parameters, ...headers } = sent()
    expect(parameters).toMatchObject(sends)
    for (const name of sendsNot) expect(parameters).not.toHaveProperty(name)
    if (authorization !== undefined) expect(headers.authorization).toBe(authorization)
    if (contentType !== undefined) expect(headers.contentType).toBe(contentType)
  })
})

describe("an absolute time", () => {
  const quirks: OAuthQuirks = { tokenResponse: { expiresAt: "expires_at" } }
  const at = Date.UTC(2030, 0, 2, 3, 4, 5)

  it.each([
    ["epoch seconds", at / 1000],
    ["epoch seconds as text", String(at / 1000)],
    ["epoch milliseconds", at],
    ["ISO 8601", new Date(at).toISOString()],
    ["ISO 8601 without a zone, which is UTC", "2030-01-02T03:04:05"],
    ["ISO 8601 with an offset", "2030-01-02T05:04:05+02:00"],
  ])("is read as %s", async (_, expiresAt) => {
    const json = { access_token: "a", token_type: "Bearer", expires_at: expiresAt }
    const { context } = await tokenServer({ json }, { quirks })
    expect((await tokensOf(context)).expiresAt).toBe(at)
  })

  it.each(["tomorrow", "12", "", null, [at], {}])("says nothing as %j", async (expiresAt) => {
    const json = { access_token: "a", token_type: "Bearer", expires_at: expiresAt }
    const { context } = await tokenServer({ json }, { quirks })
    expect((await tokensOf(context)).expiresAt).toBeNull()
  })
})
