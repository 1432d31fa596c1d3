/**
 * RFC 9126: parameters pushed to the server, and a browser that carries nothing but a reference to them.
 */
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { authorizationRequest, newState } from "../../src/oauth/AuthorizationRequest.ts"
import type { OAuthStartError } from "../../src/oauth/OAuthError.ts"
import { confidentialClient, publicClient, request, server, upstream } from "./authorization.ts"

type Answers = Parameters<typeof upstream>[0]
type Parts = Parameters<typeof request>[0]

const pushed = { status: 201, json: { request_uri: "urn:ietf:params:oauth:request_uri:6esc", expires_in: 60 } }

const against = async (answers: Answers, parts: Parts = {}, metadata: Parameters<typeof server>[0] = {}) => {
  const { fake, http } = await upstream(answers)
  const given = request({
    http,
    server: server({ pushedAuthorizationRequestUrl: `${fake.origin}/par`, ...metadata }),
    ...parts,
  })
  return { fake, given }
}

const refusal = async (answers: Answers, parts: Parts = {}): Promise<OAuthStartError> => {
  const { given } = await against(answers, parts)
  return Effect.runPromise(Effect.flip(authorizationRequest(given)))
}

describe("a pushed authorization request", () => {
  it("is made where the server offers it, and leaves client_id and request_uri for the browser", async () => {
    const { state } = newState()
    const { fake, given } = await against(
      { "POST /par": pushed },
      { state, scope: "a b", params: { prompt: "consent" }, dpopJkt: "thumbprint" },
    )
    const address = new URL(await Effect.runPromise(authorizationRequest(given)))
    expect(Object.fromEntries(address.searchParams)).toEqual({
      client_id: "the client",
      request_uri: "urn:ietf:params:oauth:request_uri:6esc",
    })
    const [received] = fake.requests
    expect(received?.headers["content-type"]).toContain("application/x-www-form-urlencoded")
    expect(received?.headers["accept"]).toBe("application/json")
    expect(Object.fromEntries(new URLSearchParams(received?.text))).toEqual({
      response_type: "code",
      client_id: "the client",
      redirect_uri: "http://127.0.0.1:4319/oauth/callback",
      scope: "a b",
      state: Redacted.value(state),
      prompt: "consent",
      dpop_jkt: "thumbprint",
      code_challenge: expect.stringMatching(/^[\w-]{43}$/) as string,
      code_challenge_method: "S256",
    })
  })

  it("keeps the query of the authorization endpoint", async () => {
    const { given } = await against(
      { "POST /par": pushed },
      {},
      { authorizationUrl: "https://as.example/authorize?tenant=x" },
    )
    const address = await Effect.runPromise(authorizationRequest(given))
    expect(address).toContain("/authorize?tenant=x&client_id=the%20client&request_uri=urn%3Aietf")
  })

  it("authenticates the client as the token endpoint would want it", async () => {
    const secret = canary("client secret")
    const { fake, given } = await against({ "POST /par": pushed }, { client: confidentialClient(secret) })
    const address = await Effect.runPromise(authorizationRequest(given))
    const basic = Buffer.from(fake.requests[0]?.headers.authorization?.replace("Basic ", "") ?? "", "base64").toString()
    expect(decodeURIComponent(basic.replaceAll("+", " "))).toBe(`the client:${secret}`)
    expect(fake.requests[0]?.text).not.toContain("client_secret")
    new CanaryScanner([secret]).expectNone(address, "the address")
  })

  it("names the client as a quirk has it, pushed and in the browser", async () => {
    const { fake, given } = await against({ "POST /par": pushed }, { quirks: { clientIdParameter: "client_key" } })
    const address = new URL(await Effect.runPromise(authorizationRequest(given)))
    expect([...address.searchParams.keys()]).toEqual(["client_key", "request_uri"])
    const body = new URLSearchParams(fake.requests[0]?.text)
    expect([body.getAll("client_key"), body.has("client_id")]).toEqual([["the client"], false])
  })

  it("is made anew for every start", async () => {
    const { fake, given } = await against({
      "POST /par": [pushed, { status: 201, json: { request_uri: "urn:second", expires_in: 60 } }],
    })
    await Effect.runPromise(authorizationRequest(given))
    const second = await Effect.runPromise(authorizationRequest({ ...given, state: newState().state }))
    expect(new URL(second).searchParams.get("request_uri")).toBe("urn:second")
    expect(fake.requests).toHaveLength(2)
  })

  it("takes 200 for 201", async () => {
    const { given } = await against({ "POST /par": { ...pushed, status: 200 } })
    expect(await Effect.runPromise(authorizationRequest(given))).toContain("request_uri=")
  })

  it("is not made for a request that is refused anyway", async () => {
    const { fake, given } = await against({ "POST /par": pushed }, { params: { state: "x" } })
    await Effect.runPromise(Effect.flip(authorizationRequest(given)))
    expect(fake.requests).toHaveLength(0)
  })

  it("is refused where the server requires it and names no endpoint", async () => {
    const required = server({ requiresPushedAuthorizationRequests: true })
    const error = await Effect.runPromise(Effect.flip(authorizationRequest(request({ server: required }))))
    expect(error).toMatchObject({ _tag: "OAuthStartError", reason: "pushed_endpoint_missing", retryable: false })
  })

  it.each(["http://as.example/par", "file:///par", "javascript:1", "https://user:secret@as.example/par"])(
    "is never sent to %s",
    async (pushedAuthorizationRequestUrl) => {
      const given = request({ server: server({ pushedAuthorizationRequestUrl }) })
      expect(await Effect.runPromise(Effect.flip(authorizationRequest(given)))).toMatchObject({
        reason: "insecure_endpoint",
      })
    },
  )
})

describe("a pushed request that fails", () => {
  it.each([
    ["a rejected client", { status: 401, json: { error: "invalid_client" } }, "invalid_client", false],
    ["a rejected request", { status: 400, json: { error: "invalid_request" } }, "invalid_request", false],
    ["an outage", { status: 503, body: "down" }, "server_error", true],
    ["too many requests", { status: 429 }, "rate_limited", true],
    ["a redirect", { redirect: "https://evil.example/" }, "redirected", true],
    ["an answer that is no JSON", { status: 201, body: "<html>" }, "invalid_response", true],
    ["an answer without a request_uri", { status: 201, json: { expires_in: 60 } }, "invalid_response", true],
    ["an answer without a lifetime", { status: 201, json: { request_uri: "urn:x" } }, "invalid_response", true],
    ["an error with a good status", { status: 200, json: { error: "invalid_scope" } }, "invalid_scope", false],
    ["a lost connection", { fault: "reset" }, "", true],
  ] as const)("is never sent through the browser instead: %s", async (_, answer, code, retryable) => {
    const error = await refusal({ "POST /par": answer })
    expect(error).toMatchObject({ _tag: "OAuthStartError", reason: "pushed_request_failed", retryable })
    expect(error.message).toContain(code)
  })

  it("shows nothing of what was sent or answered", async () => {
    const { state } = newState()
    const [secret, verifier, description, uri] = ["client secret", "verifier", "description", "uri"].map(canary) as [
      string,
      string,
      string,
      string,
    ]
    const scanner = new CanaryScanner([Redacted.value(state), secret, verifier, description, uri])
    const parts: Parts = { state, codeVerifier: Redacted.make(verifier), client: confidentialClient(secret) }
    for (const answer of [
      (received: { readonly text: string }) => ({
        status: 400,
        headers: { "www-authenticate": `Basic realm="${description}"` },
        json: { error: "invalid_request", error_description: `${description} ${received.text}` },
      }),
      { status: 201, json: { request_uri: uri, expires_in: description } },
      { status: 201, body: `{"request_uri":"${uri}",` },
      { status: 400, json: { error: `${description} x` } },
    ]) {
      scanner.expectNone(await refusal({ "POST /par": answer }, parts), "the error")
    }
  })

  it("says so when it is the client that was not accepted", async () => {
    const error = await refusal(
      { "POST /par": { status: 400, json: { error: "unauthorized_client" } } },
      { client: publicClient },
    )
    expect(error.message).toContain("Check the client")
  })
})
