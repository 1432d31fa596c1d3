/** Connecting an account again: what the new authorization changes about the connection, and what only the host may change. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { connectAccount, failureOf } from "./account.ts"

describe("connecting again", () => {
  it("does not put back into use what the host took out of it", async () => {
    const account = await connectAccount()
    await account.executor.connections.disable(account.ref)
    await account.reconnect()
    expect(await account.executor.connections.get(account.ref)).toMatchObject({
      status: "disabled",
      statusReason: "disabled_by_host",
    })
    await account.executor.connections.enable(account.ref)
    expect((await account.call()).ok).toBe(true)
  })

  it("agrees to the origins that the integration had when the person began, and to no later ones", async () => {
    const account = await connectAccount()
    const { executor, server, ref } = account
    const started = await executor.oauth.start({ ...ref, client: "app", clientOwner: "org", template: "oauth" })
    if (started.status !== "redirect") throw new Error(started.status)
    await executor.acme.add({
      slug: "files",
      baseUrl: server.origin,
      origins: [server.origin, "https://elsewhere.example"],
      authTemplates: [{ slug: "oauth", type: "oauth2", scopes: ["files:read"] }],
      config: server.resourceUrl,
    })
    await executor.oauth.complete({ callbackUrl: await server.visit(started.authorizationUrl) })
    expect(await executor.connections.get(ref)).toMatchObject({ status: "disabled", statusReason: "origins_changed" })
    expect(failureOf(await account.call())).toMatchObject({ code: "connection_disabled" })
    await account.reconnect()
    expect((await account.call()).ok).toBe(true)
  })
})

describe("a stored DPoP key that cannot be read", () => {
  const damaged = async () => {
    const account = await connectAccount()
    const { grant } = await account.row()
    if (grant === null) throw new Error("The row has no grant.")
    await account.edit({ grant: { ...grant, tokenType: "DPoP" } })
    const set = account.provider.set?.("default/alice/oauth:user:files:main:dpop", Redacted.make("no key"))
    await Effect.runPromise(set ?? Effect.void)
    return account
  }

  it("says that the account has to be connected again, while the token is fresh", async () => {
    const account = await damaged()
    expect(failureOf(await account.call())).toMatchObject({
      code: "oauth_reauth_required",
      details: { reason: "dpop_key_missing", authRequired: true },
    })
  })

  it("ends the grant when the token is due", async () => {
    const account = await damaged()
    await account.expire()
    expect(failureOf(await account.call())).toMatchObject({ code: "oauth_reauth_required" })
    expect(await account.executor.connections.get(account.ref)).toMatchObject({
      status: "expired",
      statusReason: "dpop_key_missing",
    })
    expect(account.refreshes()).toBe(0)
  })
})
