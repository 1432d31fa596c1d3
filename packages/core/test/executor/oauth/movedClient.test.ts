/**
 * A client that becomes another one while flows, tokens and revocations depend on it: nothing of the new one reaches the old server.
 */
import { canary, misbehavingAuthorizationServer } from "@keyward/core/testing"
import { decodeJwt, exportPKCS8, generateKeyPair } from "jose"
import { describe, expect, it } from "vitest"
import { rejectionOf } from "../acme.ts"
import { connectAccount, failureOf } from "./account.ts"
import { appByHand, appOf, connect, flowOfMine, mine, setOAuthStage, startRedirect } from "./oauthStage.ts"

describe("a client entered by hand that was moved to another server", () => {
  const setMoved = async () => {
    const stage = await setOAuthStage()
    const other = await misbehavingAuthorizationServer()
    await stage.executor.oauth.createClient(appByHand(stage.server, { clientSecret: "of the first server" }))
    await connect(stage)
    const clientSecret = canary("client secret of the other server")
    await stage.executor.oauth.createClient(appByHand(other, { clientSecret }))
    return { ...stage, other }
  }

  it("does not prove itself to the old one with its new secret when a token is refreshed", async () => {
    const { executor, server, other } = await setMoved()
    await using _ = other
    const before = server.requests("token").length
    server.expireAccessTokens()
    const result = await executor.execute("tools.api.user.main.call")
    expect(failureOf(result)).toMatchObject({
      code: "oauth_reauth_required",
      details: { reason: "client_changed" },
    })
    expect(server.requests("token")).toHaveLength(before)
    expect(other.requests("token")).toEqual([])
  })

  it("nor when one is revoked", async () => {
    const { executor, server, other, events } = await setMoved()
    await using _ = other
    await executor.connections.remove(mine)
    await expect.poll(() => events.at(-1)).toMatchObject({ type: "oauth.revocation_failed", reason: "client_changed" })
    expect(server.requests("revocation")).toEqual([])
    expect(other.requests("revocation")).toEqual([])
  })
})

it("a client entered by hand whose endpoints got other paths goes on with those that its grants were made at", async () => {
  const stage = await setOAuthStage()
  await stage.executor.oauth.createClient(appByHand(stage.server))
  await connect(stage)
  await stage.executor.oauth.createClient(appByHand(stage.server, { tokenUrl: `${stage.server.origin}/v2/token` }))
  stage.server.expireAccessTokens()
  expect(await stage.executor.execute("tools.api.user.main.call")).toMatchObject({ ok: true })
  expect(stage.server.requests("token")).toHaveLength(2)
})

it("a client that got another id while a person was away gets no code that was meant for the one before", async () => {
  const { executor, server } = await setOAuthStage()
  await executor.oauth.createClient(appOf(server))
  const { authorizationUrl } = await startRedirect(executor)
  const callbackUrl = await server.visit(authorizationUrl)
  await executor.oauth.createClient(appOf(server, { clientId: "another-app", clientSecret: "of another app" }))
  expect(await rejectionOf(executor.oauth.complete({ callbackUrl }))).toMatchObject({ reason: "client_changed" })
  expect(server.requests("token")).toEqual([])
})

it("an issuer that was entered with a slash too many is spelled to the server as the server does", async () => {
  const keys = await generateKeyPair("ES256", { extractable: true })
  const privateKey = await exportPKCS8(keys.privateKey)
  const { executor, server } = await setOAuthStage()
  expect(new URL(server.issuer).href).not.toBe(server.issuer)
  await executor.oauth.createClient(appOf(server, { privateKey, issuer: new URL(server.issuer).href }))
  await connect({ executor, server })
  server.expireAccessTokens()
  expect(await executor.execute("tools.api.user.main.call")).toMatchObject({ ok: true })
  await executor.oauth.createClient(
    appOf(server, { slug: "service", grant: "client_credentials", privateKey, issuer: new URL(server.issuer).href }),
  )
  await executor.oauth.start({ ...flowOfMine, client: "service", name: "service" })
  const audiences = server
    .requests("token")
    .map(({ parameters }) => decodeJwt(parameters.get("client_assertion") ?? "").aud)
  expect(audiences).toEqual([server.issuer, server.issuer, server.issuer])
})

describe("a client that is turned down", () => {
  const refused = { fault: "error", error: "invalid_client", status: 401 } as const

  it("is corrected by hand where it was entered by hand", async () => {
    const account = await connectAccount()
    await account.expire()
    account.server.always("token", refused)
    expect(failureOf(await account.call()).details["nextStep"]).toContain("oauth.createClient")
  })

  it("is registered anew where it was registered, because there is nothing to correct", async () => {
    const stage = await setOAuthStage()
    const { executor, server } = stage
    await executor.oauth.registerDynamicClient({ owner: "org", slug: "app", issuer: server.issuer, integration: "api" })
    await connect(stage)
    server.expireAccessTokens()
    server.always("token", refused)
    const { nextStep } = failureOf(await executor.execute("tools.api.user.main.call")).details
    expect(nextStep).toContain("oauth.registerDynamicClient")
    expect(nextStep).not.toContain("oauth.createClient")
  })
})
