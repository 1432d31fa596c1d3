/**
 * Connections that need no person to be renewed: the client alone is enough, and no refresh token is used, also not one lying about.
 */
import type { CreateOAuthClientInput, StartOAuthInput } from "@keyward/core"
import { exportPKCS8, generateKeyPair } from "jose"
import { describe, expect, it } from "vitest"
import { failureOf } from "./account.ts"
import { appOf, connect, flowOfMine, mine, setOAuthStage } from "./oauthStage.ts"

const bearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

const setAlone = async (app: Partial<CreateOAuthClientInput>, input: Partial<StartOAuthInput> = {}) => {
  const stage = await setOAuthStage()
  const { executor, server } = stage
  await executor.oauth.createClient(appOf(server, app))
  server.always("token", { fault: "change", json: { refresh_token: "a refresh token that nobody needs" } })
  await executor.oauth.start({ ...flowOfMine, ...input })
  const grants = () => server.requests("token").map(({ parameters }) => parameters.get("grant_type"))
  const call = () => executor.execute("tools.api.user.main.call")
  return { ...stage, grants, call }
}

describe("a connection that a client makes alone", () => {
  it("is minted anew with the client's credentials whatever the server gave to refresh it with", async () => {
    const { server, vault, executor, grants, call } = await setAlone({ grant: "client_credentials", clientSecret: "s" })
    server.expireAccessTokens()
    expect(await call()).toMatchObject({ ok: true })
    expect(grants()).toEqual(["client_credentials", "client_credentials"])
    expect([...vault.items.keys()].filter((id) => id.endsWith(":refresh"))).toEqual([])
    expect(await executor.oauth.grant(mine)).toMatchObject({ hasRefreshToken: false })
  })

  it("is minted anew with another assertion", async () => {
    const keys = await generateKeyPair("ES256", { extractable: true })
    const app = {
      grant: bearer,
      privateKey: await exportPKCS8(keys.privateKey),
      tokenEndpointAuthMethod: "none",
    } as const
    const { server, grants, call } = await setAlone(app, { subject: "alice@example.com" })
    server.expireAccessTokens()
    expect(await call()).toMatchObject({ ok: true })
    expect(grants()).toEqual([bearer, bearer])
    const assertions = server.requests("token").map(({ parameters }) => parameters.get("assertion"))
    expect(new Set(assertions).size).toBe(2)
  })

  it("says what to look at when its assertion is turned down, and stays as it is", async () => {
    const keys = await generateKeyPair("ES256", { extractable: true })
    const app = {
      grant: bearer,
      privateKey: await exportPKCS8(keys.privateKey),
      tokenEndpointAuthMethod: "none",
    } as const
    const { executor, server, call } = await setAlone(app, { subject: "alice@example.com" })
    server.expireAccessTokens()
    server.always("token", { fault: "error", error: "invalid_grant" })
    const failure = failureOf(await call())
    expect(failure).toMatchObject({ code: "oauth_refresh_failed", details: { reason: "invalid_grant" } })
    expect(failure.details["nextStep"]).toContain("subject")
    expect(await executor.connections.get(mine)).toMatchObject({ status: "active" })
  })
})

it("a refresh token that another grant left behind is not sent to the server of this one", async () => {
  const stage = await setOAuthStage()
  const { executor, server, vault } = stage
  await executor.oauth.createClient(appOf(server))
  await connect(stage)
  const [left] = [...vault.items].filter(([id]) => id.endsWith(":refresh"))
  await executor.oauth.createClient(appOf(server, { slug: "service", grant: "client_credentials", clientSecret: "s" }))
  await executor.oauth.start({ ...flowOfMine, client: "service" })
  // As when the provider could not delete it, or the process died before it did.
  if (left === undefined) throw new Error("There is no refresh token.")
  vault.items.set(...left)
  server.expireAccessTokens()
  expect(await executor.execute("tools.api.user.main.call")).toMatchObject({ ok: true })
  expect(server.requests("token").at(-1)?.parameters.get("grant_type")).toBe("client_credentials")
  expect(server.requests("token").filter(({ parameters }) => parameters.has("refresh_token"))).toEqual([])
})

it("a reconnect whose answer holds no refresh token does not go on with the one before", async () => {
  const stage = await setOAuthStage()
  const { executor, server, vault } = stage
  await executor.oauth.createClient(appOf(server))
  await connect(stage)
  server.behave({ issuesRefreshTokens: false })
  await connect(stage)
  expect([...vault.items.keys()].filter((id) => id.endsWith(":refresh"))).toEqual([])
  expect(await executor.oauth.grant(mine)).toMatchObject({ hasRefreshToken: false })
  server.expireAccessTokens()
  await executor.execute("tools.api.user.main.call")
  expect(server.requests("token")).toHaveLength(2)
})
