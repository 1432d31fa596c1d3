/** Step-up: a service that asks for more than was granted (RFC 6750, section 3.1), and where a person goes for it. */
import { ConnectionCredentialError, type ConnectionNeed, type ConnectionRef, type ExecutorConfig } from "@keyward/core"
import { describe, expect, it } from "vitest"
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
})

describe("the organisation's account", () => {
  const address = "tools.files.org.shared.whoami"
  const shared = { owner: "org", integration: "files", name: "shared" } as const

  /** Connected by the organisation, and lacking a scope that the service asks for. */
  const lackingScope = async (config?: Partial<ExecutorConfig>) => {
    const account = await connectAccount({ config: { onElicitation: "accept-all", ...config } })
    const organisation = account.executor.withIdentity({})
    const started = await organisation.oauth.start({ ...shared, client: "app", clientOwner: "org", template: "oauth" })
    if (started.status !== "redirect") throw new Error(started.status)
    await organisation.oauth.complete({ callbackUrl: await account.server.visit(started.authorizationUrl) })
    account.server.requireScope("files:write")
    await organisation.agents.create({ id: "bot", integrations: "all" })
    await organisation.agents.grant("bot", { connection: shared, access: "read" })
    const flows = (): number => account.events.filter(({ type }) => type === "oauth.started").length
    return { ...account, organisation, flows }
  }

  it("is authorized further by whoever acts for the organisation, and by a user, each through a link of their own", async () => {
    const { executor, organisation, server } = await lackingScope()
    const bob = executor.withIdentity({ subject: "bob" })
    const links = [executor, bob, organisation].map(async (caller) =>
      linkOf(failureOf(await caller.execute(address)).details),
    )
    const [mine = "", his = "", its = ""] = await Promise.all(links)
    expect(new Set([mine, his, its]).size).toBe(3)
    const callbackUrl = await server.visit(his)
    await expect(executor.oauth.complete({ callbackUrl })).rejects.toBeDefined()
    await organisation.oauth.complete({ callbackUrl: await server.visit(its) })
    expect((await executor.execute(address)).ok).toBe(true)
  })

  it("is not connected by a link in the hands of an agent, which is told what is needed and where", async () => {
    const connectUrl = ({ integration, owner, subject }: ConnectionNeed): string =>
      `https://host.example/connect/${integration}?as=${owner}&for=${subject}`
    const { executor, organisation, flows } = await lackingScope({ connectUrl })
    const before = flows()
    for (const caller of [await executor.asAgent("bot"), await organisation.asAgent("bot")]) {
      const place = `https://host.example/connect/files?as=org&for=${caller.identity.subject}`
      const failure = failureOf(await caller.execute(address))
      expect(failure).toMatchObject({
        code: "insufficient_scope",
        message: expect.stringContaining(
          "It is the organisation's; an administrator has to act at connectUrl: The credential does not cover this call.",
        ),
        details: { authRequired: true, scope: "files:write", connectUrl: place },
      })
      expect(failure.details).not.toHaveProperty("authorizeUrl")
    }
    expect(flows()).toBe(before)
  })

  it("of an integration that administrators connect is no user's to connect by a link of a call", async () => {
    const { organisation, executor, flows } = await lackingScope()
    await executor.integrations.setIdentityMode("files", "admin")
    const before = flows()
    const { details } = failureOf(await executor.execute(address))
    expect(details).toMatchObject({ nextStep: expect.stringContaining("an administrator has to act:") })
    expect(details).not.toHaveProperty("authorizeUrl")
    expect(details).not.toHaveProperty("connectUrl")
    expect(flows()).toBe(before)
    expect(linkOf(failureOf(await organisation.execute(address)).details)).toContain("/authorize")
  })

  it("says the same where a request of one's own fails", async () => {
    const { executor, server, organisation } = await lackingScope({ connectUrl: "https://host.example/connect" })
    await executor.integrations.setIdentityMode("files", "admin")
    server.endGrants()
    server.expireAccessTokens()
    const rejected = async (caller: { readonly connections: { fetch(ref: ConnectionRef): typeof fetch } }) => {
      const request = caller.connections.fetch(shared)(server.resourceUrl)
      return request.then(
        () => undefined,
        (reason: unknown) => reason as ConnectionCredentialError,
      )
    }
    const told = await rejected(executor)
    expect(told).toMatchObject({ authRequired: true, connectUrl: "https://host.example/connect" })
    expect(told?.message).toContain("It is the organisation's; an administrator has to act at connectUrl")
    expect(told?.authorizeUrl).toBeUndefined()
    expect((await rejected(organisation))?.authorizeUrl).toContain("/authorize")
  })

  it("does not change what a user is offered for their own, nor an agent that acts for them", async () => {
    const { executor, server, ref, call } = await lackingScope()
    await executor.agents.grant("bot", { connection: ref, access: "read" })
    const own = failureOf(await call()).details
    const byAgent = failureOf(await (await executor.asAgent("bot")).execute("tools.files.user.main.whoami")).details
    expect(linkOf(byAgent)).toBe(linkOf(own))
    await executor.oauth.complete({ callbackUrl: await server.visit(linkOf(byAgent)) })
    expect((await call()).ok).toBe(true)
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
