/**
 * The table of what a failed token request means, and that no failure tells a secret.
 */
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { filler, type UpstreamAnswer } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { describe, expect, it, onTestFinished } from "vitest"
import type { OAuthQuirks } from "../../src/auth/OAuthQuirks.ts"
import {
  AddressNotAllowedError,
  EgressTimeoutError,
  type HttpError,
  InvalidRequestError,
  NetworkError,
  OriginNotAllowedError,
  RedirectRefusedError,
  ResponseTooLargeError,
} from "../../src/http/HttpError.ts"
import { classifyTokenFailure } from "../../src/oauth/classifyTokenFailure.ts"
import type { OAuthResponse } from "../../src/oauth/OAuthHttp.ts"
import { requestTokens } from "../../src/oauth/TokenEndpoint.ts"
import { type TokenFailureKind, tokenFailureKinds } from "../../src/oauth/tokenFailure.ts"
import { selfSigned } from "../http/selfSigned.ts"
import { answering, canaries, expectNoSecret, failureOf, openHttp, refresh, tokenServer } from "./tokenServer.ts"

const origin = "https://as.example"
const host = "as.example"

const answer = (status: number, body: unknown = "", headers: Readonly<Record<string, string>> = {}): OAuthResponse => ({
  status,
  headers: { "content-type": typeof body === "string" ? "text/html" : "application/json", ...headers },
  body: typeof body === "string" ? body : JSON.stringify(body),
  sentAt: 1_000_000,
})

type Row = readonly [response: OAuthResponse, kind: TokenFailureKind, code: string, quirks?: OAuthQuirks]

const rows: Readonly<Record<string, Row>> = {
  "invalid_grant, 400": [answer(400, { error: "invalid_grant" }), "grant_dead", "invalid_grant"],
  "invalid_grant, 401": [answer(401, { error: "invalid_grant" }), "grant_dead", "invalid_grant"],
  "invalid_grant, 403 (Atlassian)": [answer(403, { error: "invalid_grant" }), "grant_dead", "invalid_grant"],
  "invalid_grant behind a challenge": [
    answer(400, { error: "invalid_grant" }, { "www-authenticate": 'Bearer realm="as"' }),
    "grant_dead",
    "invalid_grant",
  ],
  "invalid_grant under another content type": [
    answer(400, { error: "invalid_grant" }, { "content-type": "text/plain" }),
    "grant_dead",
    "invalid_grant",
  ],
  "invalid_grant as a form": [
    answer(400, "error=invalid_grant&error_description=gone", { "content-type": "application/x-www-form-urlencoded" }),
    "grant_dead",
    "invalid_grant",
  ],
  "a provider's code for it, in a 200": [
    answer(200, { error: "bad_refresh_token" }),
    "grant_dead",
    "invalid_grant",
    { errorCodes: { bad_refresh_token: "invalid_grant" } },
  ],
  "the standard code in a 200": [answer(200, { error: "invalid_grant" }), "grant_dead", "invalid_grant"],
  "a code that nobody knows in a 200": [answer(200, { error: "oh_no" }), "request_rejected", "oh_no"],
  "invalid_grant, 500": [answer(500, { error: "invalid_grant" }), "transient", "server_error"],
  "invalid_grant, 503": [answer(503, { error: "invalid_grant" }), "transient", "server_error"],
  "a mapped code, 502": [
    answer(502, { error: "gone" }),
    "transient",
    "server_error",
    { errorCodes: { gone: "invalid_grant" } },
  ],
  invalid_client: [answer(401, { error: "invalid_client" }), "client_rejected", "invalid_client"],
  "invalid_client behind a challenge": [
    answer(401, { error: "invalid_client" }, { "www-authenticate": "Basic" }),
    "client_rejected",
    "invalid_client",
  ],
  unauthorized_client: [answer(400, { error: "unauthorized_client" }), "client_rejected", "unauthorized_client"],
  "401 without a word": [answer(401), "client_rejected", "http_401"],
  "401 with a code only in the challenge": [
    answer(401, "", { "www-authenticate": 'Basic realm="x", error="invalid_client"' }),
    "client_rejected",
    "invalid_client",
  ],
  invalid_scope: [answer(400, { error: "invalid_scope" }), "request_rejected", "invalid_scope"],
  invalid_target: [answer(400, { error: "invalid_target" }), "request_rejected", "invalid_target"],
  invalid_request: [answer(400, { error: "invalid_request" }), "request_rejected", "invalid_request"],
  unsupported_grant_type: [
    answer(400, { error: "unsupported_grant_type" }),
    "request_rejected",
    "unsupported_grant_type",
  ],
  "400 of a page": [answer(400, "<html>"), "request_rejected", "http_400"],
  "404 of a page": [answer(404, "<html>"), "request_rejected", "http_404"],
  "use_dpop_nonce, again": [answer(400, { error: "use_dpop_nonce" }), "transient", "use_dpop_nonce"],
  authorization_pending: [answer(400, { error: "authorization_pending" }), "pending", "authorization_pending"],
  "authorization_pending, 428 (Google)": [
    answer(428, { error: "authorization_pending" }),
    "pending",
    "authorization_pending",
  ],
  "authorization_pending, 200 (GitHub)": [
    answer(200, { error: "authorization_pending" }),
    "pending",
    "authorization_pending",
  ],
  slow_down: [answer(400, { error: "slow_down" }), "pending", "slow_down"],
  "slow_down, 429": [answer(429, { error: "slow_down" }), "pending", "slow_down"],
  access_denied: [answer(400, { error: "access_denied" }), "denied", "access_denied"],
  expired_token: [answer(400, { error: "expired_token" }), "expired", "expired_token"],
  "408": [answer(408), "transient", "request_timeout"],
  "425": [answer(425), "transient", "too_early"],
  "429, empty": [answer(429), "transient", "rate_limited"],
  "429 with a code of its own": [answer(429, { error: "too_fast" }), "transient", "rate_limited"],
  "500 of a page": [answer(500, "<html>"), "transient", "server_error"],
  "502 of a page": [answer(502, "<html>"), "transient", "server_error"],
  "599": [answer(599), "transient", "server_error"],
  temporarily_unavailable: [answer(400, { error: "temporarily_unavailable" }), "transient", "temporarily_unavailable"],
  "temporarily_unavailable, 503": [
    answer(503, { error: "temporarily_unavailable" }),
    "transient",
    "temporarily_unavailable",
  ],
  "302": [answer(302, "", { location: "https://elsewhere.example/" }), "transient", "redirected"],
  "307 with an error": [answer(307, { error: "invalid_grant" }), "transient", "redirected"],
  "200 of a page": [answer(200, "<html>"), "ambiguous", "unreadable_response"],
  "200, empty": [answer(200), "ambiguous", "unreadable_response"],
  "200, cut short": [answer(200, '{"access_token":"abc","refresh_t'), "ambiguous", "unreadable_response"],
  "200 of a list": [answer(200, "[]"), "ambiguous", "unreadable_response"],
  "200 without a token": [answer(200, { token_type: "Bearer" }), "ambiguous", "invalid_response"],
  "200 with an empty token": [answer(200, { access_token: "", token_type: "Bearer" }), "ambiguous", "invalid_response"],
  "201, where only 200 is success": [
    answer(201, { access_token: "abc", token_type: "Bearer" }),
    "request_rejected",
    "unexpected_status",
  ],
  "204": [answer(204), "ambiguous", "unexpected_status"],
}

describe("a token response without tokens", () => {
  it.each(Object.entries(rows))("is judged: %s", async (_, [response, kind, code, quirks = {}]) => {
    const failure = await failureOf(answering(response, { quirks }))
    expect(failure).toMatchObject({ kind, code, status: response.status, host })
  })

  it.each([
    ["seconds", "120", 120_000],
    ["nothing", "0", 0],
    ["a date, from when the request was sent", new Date(1_000_000 + 90_000).toUTCString(), 90_000],
    ["a date that has passed", new Date(0).toUTCString(), 0],
    ["more than an hour", "86400", 3_600_000],
    ["a date in years", "Wed, 21 Oct 2099 07:28:00 GMT", 3_600_000],
    ["digits without end", "9".repeat(400), 3_600_000],
    ["no number", "soon", undefined],
    ["nothing at all", "", undefined],
  ])("says how long to wait: %s", async (_, header, retryAfterMs) => {
    const failure = await failureOf(answering(answer(503, "", { "retry-after": header })))
    expect(failure.retryAfterMs).toBe(retryAfterMs)
  })

  it.each([
    ["spaces and markup", "<b>invalid grant</b>"],
    ["a line break", "invalid_grant\nx"],
    ["too long", "a_".repeat(40)],
    ["an echoed token", canaries.used],
    ["an echoed UUID", "0f8fad5b-d9cb-469f-a165-70867728950e"],
    ["an echoed JWT", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w"],
  ])("shows no code that does not read like one: %s", async (_, error) => {
    const failure = await failureOf(answering(answer(400, { error })))
    expect(failure).toMatchObject({ kind: "request_rejected", code: "unknown_error" })
  })

  it("is judged whatever it holds", () => {
    const body = fc.oneof(
      fc.string(),
      fc.json(),
      fc.record({ error: fc.oneof(fc.constantFrom("invalid_grant", "constructor", "__proto__"), fc.jsonValue()) }),
    )
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 599 }), body, fc.boolean(), (status, given, isJson) => {
        const text = typeof given === "string" ? given : JSON.stringify(given)
        const response = {
          ...answer(status, text),
          headers: { "content-type": isJson ? "application/json" : "text/plain" },
        }
        const { kind, code } = classifyTokenFailure({ host, response }, { errorCodes: { gone: "invalid_grant" } })
        expect(tokenFailureKinds).toContain(kind)
        expect(code).toMatch(/^[A-Za-z0-9_.-]{1,64}$/)
        if (status >= 500 || (status >= 300 && status < 400)) expect(kind).toBe("transient")
      }),
    )
  })
})

describe("a token request without a response", () => {
  const networkRows = (kind: TokenFailureKind, ...codes: ReadonlyArray<string>) =>
    codes.map((code): readonly [string, HttpError, TokenFailureKind, string] => [
      code,
      new NetworkError({ origin, code }),
      kind,
      code,
    ])

  it.each([
    ...networkRows("not_sent", "ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"),
    ...networkRows("not_sent", "CERT_HAS_EXPIRED", "DEPTH_ZERO_SELF_SIGNED_CERT", "SELF_SIGNED_CERT_IN_CHAIN"),
    ...networkRows("not_sent", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "ERR_TLS_CERT_ALTNAME_INVALID", "EPROTO"),
    ...networkRows("not_sent", "ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE"),
    ...networkRows("ambiguous", "ECONNRESET", "EPIPE", "ETIMEDOUT", "UND_ERR_SOCKET", "ABORTED", "FAILED"),
    ...networkRows("ambiguous", "FETCH_FAILED", "BODY_FAILED", "UNDECODABLE_BODY", "HPE_INVALID_CONSTANT"),
    [
      "no connection in time",
      new EgressTimeoutError({ origin, timeoutMs: 1, phase: "connect" }),
      "not_sent",
      "connect_timeout",
    ],
    [
      "no response in time",
      new EgressTimeoutError({ origin, timeoutMs: 1, phase: "response" }),
      "ambiguous",
      "response_timeout",
    ],
    ["no end in time", new EgressTimeoutError({ origin, timeoutMs: 1, phase: "body" }), "ambiguous", "body_timeout"],
    ["too much", new ResponseTooLargeError({ origin, maxResponseBytes: 1 }), "ambiguous", "response_too_large"],
    [
      "an internal address",
      new AddressNotAllowedError({ host, address: "10.0.0.1" }),
      "refused",
      "address_not_allowed",
    ],
    ["another origin", new OriginNotAllowedError({ origin, allowed: [] }), "refused", "origin_not_allowed"],
    ["nothing that HTTP can say", new InvalidRequestError({ reason: "x" }), "refused", "request_not_sendable"],
    [
      "a redirect that was not followed",
      new RedirectRefusedError({ reason: "not_wanted", from: origin, to: origin }),
      "transient",
      "redirected",
    ],
  ] satisfies ReadonlyArray<readonly [string, HttpError, TokenFailureKind, string]>)(
    "is judged: %s",
    (_, httpError, kind, code) => {
      expect(classifyTokenFailure({ host, httpError }, {})).toMatchObject({ kind, code, host })
    },
  )
})

describe("over a real network", () => {
  const truncated: UpstreamAnswer = {
    headers: { "content-type": "application/json", "content-length": "1000" },
    body: '{"access_token":"abc',
  }

  it.each([
    ["a reset", { fault: "reset" }, "ambiguous"],
    ["no answer", { fault: "hang" }, "ambiguous"],
    ["no body", { fault: "hang_after_headers" }, "ambiguous"],
    ["half a body", { fault: "truncate" }, "ambiguous"],
    ["less than was promised", truncated, "ambiguous"],
    ["fifty megabytes", { body: filler(50_000_000) }, "ambiguous"],
    ["a redirect", { redirect: "/token", status: 307 }, "transient"],
  ] satisfies ReadonlyArray<readonly [string, UpstreamAnswer, TokenFailureKind]>)(
    "%s after the request was sent is told apart, and nothing is sent twice",
    async (_, given, kind) => {
      const { upstream, context } = await tokenServer(given, {}, { timeoutMs: 1_500 })
      expect((await failureOf(context)).kind).toBe(kind)
      expect(upstream.requests).toHaveLength(1)
    },
  )

  it("a port that nobody listens on was not reached", async () => {
    const { upstream, context } = await tokenServer({ json: {} })
    await upstream.close()
    expect(await failureOf(context)).toMatchObject({ kind: "not_sent", code: "ECONNREFUSED" })
  })

  it("a certificate that nobody vouches for, and a server without TLS, are met before the request leaves", async () => {
    const arrived: Array<unknown> = []
    const secure = createServer(selfSigned(["127.0.0.1"]), (request) => void arrived.push(request))
    await new Promise<void>((resolve) => void secure.listen(0, "127.0.0.1", resolve))
    onTestFinished(() => void secure.close())
    const { upstream, context } = await tokenServer({ json: {} })
    const { port } = secure.address() as AddressInfo
    expect(await failureOf({ ...context, tokenUrl: `https://127.0.0.1:${port}/token` })).toMatchObject({
      kind: "not_sent",
    })
    expect(await failureOf({ ...context, tokenUrl: `https://${upstream.host}/token` })).toMatchObject({
      kind: "not_sent",
    })
    expect([...arrived, ...upstream.requests]).toEqual([])
  })

  it("an address inside the network is refused", async () => {
    const { upstream, context } = await tokenServer({ json: {} })
    expect(await failureOf({ ...context, http: openHttp({ allowHosts: [] }) })).toMatchObject({
      kind: "refused",
      code: "address_not_allowed",
    })
    expect(upstream.requests).toEqual([])
  })

  it.each(["http://as.example/token", "https://user:pw@as.example/token", "ftp://as.example/token", "token"])(
    "%s is refused before anything is made for it",
    async (tokenUrl) => {
      const context = answering({ body: "{}" })
      expect(await failureOf({ ...context, tokenUrl })).toMatchObject({ kind: "refused", code: "insecure_endpoint" })
    },
  )
})

describe("no failure tells a secret", () => {
  const { access, refresh: rotated, id, used, secret } = canaries
  const leaky = { access_token: access, refresh_token: rotated, id_token: id, error_description: used }
  const cases: Readonly<Record<string, Partial<OAuthResponse>>> = {
    "an unknown token type": answer(200, { ...leaky, token_type: "MAC" }),
    "a downgrade's opposite": answer(200, { ...leaky, token_type: "DPoP" }),
    "a token that breaks lines": answer(200, { ...leaky, access_token: `${access}\r\nx: 1`, token_type: "Bearer" }),
    "no access token": answer(200, { refresh_token: rotated, id_token: id }),
    "a body cut short": answer(200, `{"access_token":"${access}","refresh_token":"${rotated}`),
    "a page": answer(200, `<p>${access}</p>`),
    "an unexpected status": answer(201, leaky),
    "an error that echoes": answer(400, { ...leaky, error: used, error_uri: `https://as.example/${secret}` }),
    "a challenge that echoes": answer(401, "", { "www-authenticate": `Bearer error="${used}"` }),
    "an outage that echoes": answer(503, `${used} ${secret}`, { "retry-after": used }),
    "a redirect that echoes": answer(302, "", { location: `https://elsewhere.example/?t=${used}` }),
  }

  it.each(Object.entries(cases))("%s", async (_, response) => {
    const context = answering(response)
    await failureOf(context)
    await expectNoSecret(requestTokens(context, refresh(used)), Object.values(canaries))
  })

  it("nor does a library that refuses what it is given", async () => {
    const context = answering({})
    const exit = requestTokens({ ...context, client: { ...context.client, clientId: "" } }, refresh(used))
    await expectNoSecret(exit, Object.values(canaries))
    expect(await Effect.runPromise(Effect.exit(exit))).toMatchObject({ _tag: "Failure" })
  })
})
