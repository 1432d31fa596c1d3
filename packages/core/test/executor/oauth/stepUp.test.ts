/** Step-up: a service that asks for more than was granted (RFC 6750, section 3.1), and where a person goes for it. */
import { describe, expect, it } from "vitest"
import { ConnectionCredentialError } from "@keyward/core"
import { connectAccount, failureOf } from "./account.ts"

/** The link of a failure that has one. */
const linkOf = ({ authorizeUrl }: Readonly<Record<string, unknown>>): string => {
  if (typeof authorizeUrl !== "string") throw new Error("There is no link.")
  return authorizeUrl
}

const scopeOf = (url: string): ReadonlyArray<string> => (new URL(url).searchParams.get("scope") ?? "").split(" ")

describe("a service that asks for another scope", () => {
  it("leads to an authorization for all that was asked for so far, and leaves the connection usable", async () => {
    const account = await connectAccount()
    account.server.requireScope("files:write")
    const failure = failureOf(await account.call())
    expect(failure).toMatchObject({ code: "insufficient_scope", details: { authRequired: true, scope: "files:write" } })
    expect(scopeOf(linkOf(failure.details))).toEqual(["files:read", "files:write"])
    expect(await account.executor.connections.get(account.ref)).toMatchObject({ status: "active" })
    expect(account.refreshes()).toBe(0)

    await account.executor.oauth.complete({
      callbackUrl: await account.server.visit(linkOf(failure.details)),
    })
    expect((await account.call()).ok).toBe(true)
    expect(await account.executor.oauth.grant(account.ref)).toMatchObject({
      grantedScopes: ["files:read", "files:write"],
      missingScopes: [],
    })
  })

  it("is asked about once for many calls, and anew once that flow is over", async () => {
    const account = await connectAccount()
    account.server.requireScope("files:write")
    const urls = await Promise.all(Array.from({ length: 5 }, async () => failureOf(await account.call()).details))
    const [first] = urls
    const again = linkOf(failureOf(await account.call()).details)
    expect(urls.map(({ authorizeUrl }) => authorizeUrl)).toContain(again)
    expect(first?.["authorizeUrl"]).toBeDefined()
    const denied = await account.server.visit(again, { isDenied: true })
    await expect(account.executor.oauth.complete({ callbackUrl: denied })).rejects.toMatchObject({
      _tag: "OAuthCompleteError",
      reason: "access_denied",
    })
    const next = failureOf(await account.call()).details["authorizeUrl"]
    expect(next).toBeDefined()
    expect(next).not.toBe(again)
  })

  it("is not asked about for ever when what was granted never does", async () => {
    const account = await connectAccount({ server: { scopes: ["files:read"] } })
    account.server.requireScope("files:write")
    let asked = 0
    for (; asked < 10; asked += 1) {
      const { details } = failureOf(await account.call())
      if (details["authorizeUrl"] === undefined) break
      await account.executor.oauth.complete({ callbackUrl: await account.server.visit(linkOf(details)) })
    }
    expect(asked).toBe(3)
    expect(await account.executor.connections.get(account.ref)).toMatchObject({ status: "active" })
    expect(await account.executor.oauth.grant(account.ref)).toMatchObject({ missingScopes: ["files:write"] })
  })

  it("gives each person a flow of their own", async () => {
    const account = await connectAccount()
    account.server.requireScope("files:write")
    const ref = { ...account.ref, owner: "org", name: "shared" } as const
    const { executor } = account
    const started = await executor.oauth.start({ ...ref, client: "app", clientOwner: "org", template: "oauth" })
    if (started.status !== "redirect") throw new Error(started.status)
    await executor.oauth.complete({ callbackUrl: await account.server.visit(started.authorizationUrl) })
    const bob = executor.withIdentity({ subject: "bob" })
    const mine = failureOf(await executor.execute("tools.files.org.shared.whoami")).details
    const his = failureOf(await bob.execute("tools.files.org.shared.whoami")).details
    expect(linkOf(mine)).not.toBe(linkOf(his))
    const callbackUrl = await account.server.visit(linkOf(his))
    await expect(executor.oauth.complete({ callbackUrl })).rejects.toBeDefined()
  })
})

describe("connections.fetch", () => {
  it("says where to go when it needs a person", async () => {
    const account = await connectAccount()
    await account.expire()
    account.server.endGrants()
    const request = account.executor.connections.fetch(account.ref)(account.server.resourceUrl)
    const error: unknown = await request.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ConnectionCredentialError)
    expect(error).toMatchObject({ code: "oauth_reauth_required", authorizeUrl: expect.stringContaining("/authorize") })
  })
})

describe("where no flow can be started", () => {
  it("a failure still says what to do, without a link", async () => {
    const account = await connectAccount()
    const other = await account.another({ redirectUri: undefined })
    await account.expire()
    account.server.endGrants()
    const { details } = failureOf(await other.execute("tools.files.user.main.whoami"))
    expect(details).toMatchObject({ authRequired: true, reason: "grant_rejected" })
    expect(details["authorizeUrl"]).toBeUndefined()
    expect(details["nextStep"]).toContain("Connect the account again")
  })
})
