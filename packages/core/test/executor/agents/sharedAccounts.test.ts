/** Shares of connections that are more than a pasted credential: OAuth accounts, and accounts with tools of their own. */
import { CanaryScanner } from "@keyward/core/testing"
import { describe, expect, it } from "vitest"
import { acmePlugin, received, rejectionOf, setStage, toJson } from "../acme.ts"
import { connectAccount } from "../oauth/account.ts"

describe("a shared OAuth account", () => {
  const shared = "tools.files.user.mainOfAlice.whoami"

  it("has its token renewed by the recipient's call, with the owner's grant and one request, and tells nothing of it", async () => {
    const { executor, server, ref, row, expire, refreshes, call, events } = await connectAccount()
    const bob = executor.withIdentity({ subject: "bob" })
    await executor.connections.share(ref, { with: { subject: "bob" }, access: ["read"] })
    await expire()
    const before = await row()
    const results = await Promise.all([bob.execute(shared), bob.execute(shared), call()])
    expect(results.map(({ ok }) => ok)).toEqual([true, true, true])
    expect(refreshes()).toBe(1)
    const after = await row()
    expect(after.subject).toBe("alice")
    expect(after.grant?.id).toBe(before.grant?.id)
    expect(after.expiresAt).toBeGreaterThan(Date.now())
    expect(await bob.connections.get({ ...ref, name: "mainOfAlice" })).toMatchObject({
      sharedBy: "alice",
      expiresAt: null,
      oauthClient: null,
      oauthClientOwner: null,
      oauthScope: null,
    })
    expect(events.filter(({ type }) => type === "credential.refreshed")).toMatchObject([
      { connection: "tools.files.user.main", subject: "alice" },
    ])
    const scanner = new CanaryScanner(server.secrets)
    expect(scanner.find([results, await bob.connections.list(), await bob.tools.list(), events])).toEqual([])
  })

  it("whose grant ended asks its owner and nobody else to connect it again", async () => {
    const { executor, server, ref, expire, call } = await connectAccount()
    const bob = executor.withIdentity({ subject: "bob" })
    await executor.connections.share(ref, { with: { subject: "bob" }, access: ["read"] })
    await expire()
    server.endGrants()
    const result = await bob.execute(shared)
    expect(result).toMatchObject({ ok: false, error: { code: "oauth_reauth_required" } })
    expect(JSON.stringify(result)).not.toContain("authorizeUrl")
    expect(await call()).toMatchObject({ ok: false, error: { details: { authorizeUrl: expect.any(String) } } })
  })
})

describe("a shared account with tools of its own", () => {
  const main = { owner: "user", integration: "api", name: "main" } as const

  const opened = async () => {
    const { executor } = await setStage({
      // The tools are what the account's plan has, and each says with which credential it was called.
      upstream: (request) => {
        const { authorization } = received(request)
        const plan = authorization === "Bearer of-alice" ? ["listInvoices", "payInvoice"] : ["listNotes"]
        return { json: { plan, isOfAlice: authorization === "Bearer of-alice" } }
      },
      plugin: acmePlugin(
        {},
        {
          catalog: "connection",
          resolveTools: async ({ fetch }) => {
            const { plan } = (await fetch("/").then(toJson)) as { readonly plan: ReadonlyArray<string> }
            return plan.map((name) => ({ name, annotations: { readOnlyHint: name.startsWith("list") } }))
          },
          invokeTool: ({ fetch }) => fetch("/").then(toJson),
        },
      ),
    })
    const as = (subject: string) => executor.withIdentity({ subject })
    for (const subject of ["alice", "bob"]) {
      await as(subject).connections.create({ ...main, template: "bearer", value: `of-${subject}` })
    }
    return as
  }

  const addressesOf = (tools: ReadonlyArray<{ readonly address: string }>) => tools.map(({ address }) => address)

  it("shows the recipient the owner's tools beside their own, as far as they are shared", async () => {
    const as = await opened()
    await as("alice").connections.share(main, { with: { subject: "bob" }, access: ["read"] })
    const own = "tools.api.user.main.listNotes"
    const lent = "tools.api.user.mainOfAlice.listInvoices"
    expect(addressesOf(await as("bob").tools.list())).toEqual([own, lent])
    expect(addressesOf(await as("bob").tools.search({ query: "list invoices notes" })).toSorted()).toEqual([own, lent])
    expect(await as("bob").tools.schema("tools.api.user.mainOfAlice.payInvoice")).toBeNull()
    expect(await as("bob").execute(lent)).toMatchObject({ ok: true, data: { isOfAlice: true } })
    expect(await as("bob").execute(own)).toMatchObject({ ok: true, data: { isOfAlice: false } })
    for (const [tool, error] of [
      ["payInvoice", "AccessDeniedError"],
      ["listNotes", "ToolNotFoundError"],
    ]) {
      expect(await rejectionOf(as("bob").execute(`tools.api.user.mainOfAlice.${tool}`))).toMatchObject({ _tag: error })
    }
  })

  it("has its tools found out anew by its owner alone, and shows the recipient what was found", async () => {
    const as = await opened()
    await as("alice").connections.share(main, { with: { subject: "bob" }, access: ["read"] })
    const lent = { ...main, name: "mainOfAlice" }
    expect(await rejectionOf(as("bob").connections.refresh(lent))).toMatchObject({ _tag: "AccessDeniedError" })
    await as("alice").connections.create({ ...main, template: "bearer", value: "of-nobody" })
    expect(addressesOf(await as("bob").tools.list({ connection: "mainOfAlice" }))).toEqual([
      "tools.api.user.mainOfAlice.listNotes",
    ])
    await as("alice").connections.unshare(main, { subject: "bob" })
    expect(addressesOf(await as("bob").tools.list())).toEqual(["tools.api.user.main.listNotes"])
  })
})
