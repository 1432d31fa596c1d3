/**
 * Servers that want to be authorized for, before the certified oidc-provider: discovery, registration, scopes, refresh, several users.
 */
import { CanaryScanner } from "@keyward/core/testing"
import { describe, expect, it } from "vitest"
import { modernServer } from "./support/modernServer.ts"
import { olderServer } from "./support/olderServer.ts"
import { claimsOf, type ProtectedServer, protectedServer, scopesOf } from "./support/protectedServer.ts"
import { call, type McpExecutor, setStage } from "./support/stage.ts"

const redirectUri = "http://127.0.0.1:4319/callback"

const stageFor = ({ server, provider }: ProtectedServer) =>
  setStage({ hosts: [server.host, provider.host], config: { redirectUri } })

/** Connects the executor's user as somebody who approves. */
const connect = async (executor: McpExecutor, { provider }: ProtectedServer): Promise<void> => {
  const started = await executor.oauth.connect({ owner: "user", integration: "srv", name: "main" })
  if (started.status !== "redirect") throw new Error(started.status)
  const callbackUrl = await provider.authorize(withConsent(started.authorizationUrl))
  await executor.oauth.complete({ callbackUrl })
}

/** The provider gives refresh tokens to those who ask for consent. */
const withConsent = (url: string): string => {
  const consenting = new URL(url)
  consenting.searchParams.set("prompt", "consent")
  return consenting.href
}

describe.each([
  ["2026-07-28", modernServer],
  ["2025-11-25", olderServer],
] as const)("a protected server of the revision %s", (_, start) => {
  it("is probed for how it wants to be authorized", async () => {
    const pair = await protectedServer(start)
    const { executor } = await stageFor(pair)
    expect(await executor.mcp.probe({ url: pair.server.url })).toMatchObject({
      revision: null,
      authorizationRequired: true,
      authorization: { issuer: pair.provider.issuer, challengedScope: "files:read" },
      authTemplates: [
        {
          slug: "oauth",
          type: "oauth2",
          issuer: pair.provider.issuer,
          resource: pair.server.url,
          scopes: ["files:read"],
        },
        { slug: "none" },
      ],
    })
  })

  it("is registered at, authorized for its resource, listed and called", async () => {
    const pair = await protectedServer(start)
    const { executor, events } = await stageFor(pair)
    await executor.mcp.addServer({ slug: "srv", transport: "http", url: pair.server.url })
    await connect(executor, pair)
    expect((await executor.tools.list()).map(({ name }) => name)).toContain("whoami")
    const result = await call(executor, "whoami")
    expect(result).toEqual({ ok: true, data: { text: "Bearer <redacted>" } })
    const [token = ""] = pair.tokens
    expect(claimsOf(token)).toMatchObject({ aud: pair.server.url, scope: "files:read" })
    new CanaryScanner([token]).expectNone([result, events], "the result and the events")
  })

  it("is called with a new token after it turned one away", async () => {
    const pair = await protectedServer(start)
    const { executor } = await stageFor(pair)
    await executor.mcp.addServer({ slug: "srv", transport: "http", url: pair.server.url })
    await connect(executor, pair)
    await call(executor, "echo", { text: "1" })
    const [first = ""] = pair.tokens
    pair.revoke(first)
    expect(await call(executor, "echo", { text: "2" })).toMatchObject({ ok: true })
    expect(pair.tokens).toHaveLength(2)
    expect(pair.tokens[1]).not.toBe(first)
    expect(await pair.provider.tokenRequests("refresh_token")).toEqual({ succeeded: 1, failed: 0 })
  })

  it("leads to a wider grant when a call needs one, and the connection stays as it is until then", async () => {
    const pair = await protectedServer(start, { isStrict: true })
    const { executor } = await stageFor(pair)
    await executor.mcp.addServer({ slug: "srv", transport: "http", url: pair.server.url })
    await connect(executor, pair)
    const refused = await call(executor, "whoami")
    if (refused.ok) throw new Error("The call was made.")
    expect(refused.error).toMatchObject({
      code: "insufficient_scope",
      details: { category: "authentication", scope: "files:write" },
    })
    expect(await call(executor, "echo", { text: "still" })).toMatchObject({ ok: true })
    const { authorizeUrl } = refused.error.details as { readonly authorizeUrl: string }
    await executor.oauth.complete({ callbackUrl: await pair.provider.authorize(withConsent(authorizeUrl)) })
    expect(await call(executor, "whoami")).toMatchObject({ ok: true })
    expect(scopesOf(pair.tokens.at(-1) ?? "")).toEqual(["files:read", "files:write"])
  })

  it("is called by several users at once, each with a token of their own", async () => {
    const pair = await protectedServer(start)
    const { executor } = await stageFor(pair)
    await executor.mcp.addServer({ slug: "srv", transport: "http", url: pair.server.url })
    const users = ["ann", "bob", "cem"].map((subject) => executor.withIdentity({ subject }))
    for (const user of users) await connect(user, pair)
    const before = pair.tokens.length
    const texts = users.flatMap((user, index) =>
      Array.from({ length: 5 }, () => call(user, "echo", { text: `of ${index}` })),
    )
    const results = await Promise.all(texts)
    expect(results.map((result) => result.ok && (result.data as { structured: unknown }).structured)).toEqual(
      users.flatMap((__, index) => Array.from({ length: 5 }, () => ({ text: `of ${index}` }))),
    )
    const sent = pair.tokens.slice(before)
    expect(sent).toHaveLength(15)
    expect(new Set(sent).size).toBe(3)
    for (const token of new Set(sent)) expect(sent.filter((one) => one === token)).toHaveLength(5)
  })

  it("tells callers whose credential it does not take where to go", async () => {
    const pair = await protectedServer(start)
    const { executor } = await stageFor(pair)
    await executor.mcp.addServer({
      slug: "srv",
      transport: "http",
      url: pair.server.url,
      authTemplates: [{ slug: "bearer", type: "bearer" }],
    })
    const creating = executor.connections.create({
      owner: "user",
      integration: "srv",
      name: "main",
      template: "bearer",
      value: "wrong-token",
    })
    await expect(creating).rejects.toMatchObject({ _tag: "ToolResolutionError" })
    await expect(creating).rejects.not.toMatchObject({ message: expect.stringContaining("wrong-token") })
  })
})
