/**
 * Token exchange: RFC 8693.
 */
import { canary } from "@keyward/core/testing"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { requestTokens, type TokenRequest } from "../../src/oauth/TokenEndpoint.ts"
import { clear, expectNoSecret, failureOf, formOf, tokenServer, tokensOf } from "./tokenServer.ts"

const type = (name: string): string => `urn:ietf:params:oauth:token-type:${name}`

const request = (parts: Partial<Extract<TokenRequest, { type: "token_exchange" }>> = {}): TokenRequest => ({
  type: "token_exchange",
  subjectToken: Redacted.make("subject-1"),
  subjectTokenType: type("id_token"),
  scope: null,
  resource: null,
  ...parts,
})

const good = { access_token: "access-1", token_type: "Bearer", issued_token_type: type("access_token") }

describe("a token exchange for a grant", () => {
  const wanted = { requestedTokenType: type("id-jag"), isGrantExpected: true }

  it("takes what is sent to no resource", async () => {
    const grant = { access_token: "grant-1", token_type: "N_A", issued_token_type: type("id-jag") }
    const { context } = await tokenServer({ json: grant })
    expect(clear(await tokensOf(context, request(wanted)))).toMatchObject({ accessToken: "grant-1" })
  })

  it("does not take an access token in its place", async () => {
    const { context } = await tokenServer({ json: good })
    expect(await failureOf(context, request(wanted))).toMatchObject({ code: "not_a_bearer_token" })
  })
})

describe("a token exchange", () => {
  it("sends the subject's token and nothing that it was not given", async () => {
    const { upstream, context } = await tokenServer({ json: good })
    await tokensOf(context, request())
    expect(formOf(upstream)).toEqual({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token: "subject-1",
      subject_token_type: type("id_token"),
      client_id: "client-1",
      client_secret: "secret-of-client-1",
    })
  })

  it("sends the actor, the audience, the resource, the scopes and the type that is wanted", async () => {
    const { upstream, context } = await tokenServer({ json: good })
    await tokensOf(
      context,
      request({
        actorToken: Redacted.make("actor-1"),
        actorTokenType: type("jwt"),
        audience: "https://api.example",
        requestedTokenType: type("access_token"),
        scope: "a b",
        resource: "https://api.example/v1",
      }),
    )
    expect(formOf(upstream)).toMatchObject({
      actor_token: "actor-1",
      actor_token_type: type("jwt"),
      audience: "https://api.example",
      requested_token_type: type("access_token"),
      scope: "a b",
      resource: "https://api.example/v1",
    })
  })

  it.each([
    ["access_token", undefined],
    ["jwt", undefined],
    ["jwt", type("access_token")],
    ["id_token", type("id_token")],
  ])("gives a token of type %s where %s was asked for", async (issued, requestedTokenType) => {
    const { context } = await tokenServer({ json: { ...good, issued_token_type: type(issued), expires_in: 60 } })
    const tokens = await tokensOf(context, request({ requestedTokenType }))
    expect(clear(tokens)).toMatchObject({ accessToken: "access-1", tokenType: "Bearer" })
  })

  it.each([
    ["N_A", { token_type: "N_A", issued_token_type: type("id-jag") }, undefined, "not_a_bearer_token"],
    ["n_a even where it was asked for", { token_type: "n_a" }, type("access_token"), "not_a_bearer_token"],
    ["a refresh token", { issued_token_type: type("refresh_token") }, undefined, "not_a_bearer_token"],
    ["an id token", { issued_token_type: type("id_token") }, undefined, "not_a_bearer_token"],
    ["an assertion", { issued_token_type: type("saml2") }, undefined, "not_a_bearer_token"],
    ["another type than was asked for", { issued_token_type: type("jwt") }, type("id-jag"), "not_a_bearer_token"],
    ["no type", { issued_token_type: undefined }, undefined, "issued_token_type_missing"],
    ["a type that is no text", { issued_token_type: 7 }, undefined, "issued_token_type_missing"],
  ])("answered with %s gives nothing to send as a bearer", async (_, odd, requestedTokenType, code) => {
    const { context } = await tokenServer({ json: { ...good, ...odd } })
    expect(await failureOf(context, request({ requestedTokenType }))).toMatchObject({ kind: "request_rejected", code })
  })

  it("that is turned down tells no token", async () => {
    const [subject, actor] = [canary("subject"), canary("actor")]
    const json = { error: "invalid_target", error_description: `${subject} ${actor}` }
    const { context } = await tokenServer({ status: 400, json })
    const exchange = request({ subjectToken: Redacted.make(subject), actorToken: Redacted.make(actor) })
    expect(await failureOf(context, exchange)).toMatchObject({ kind: "request_rejected", code: "invalid_target" })
    await expectNoSecret(requestTokens(context, exchange), [subject, actor])
  })
})
