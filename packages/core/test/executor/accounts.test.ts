/**
 * Several accounts of one integration: which one a call runs as, that it never is a guess, and what is answered where nobody has
 * connected one.
 */
import {
  AccountNotFoundError,
  AmbiguousAccountError,
  type CallOptions,
  ConnectionRequiredError,
  memoryStore,
  type ToolResult,
} from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import { describe, expect, it } from "vitest"
import { acmePlugin, failureOf, received, rejectionOf, setStage, type Stage, templates, toJson } from "./acme.ts"
import { appByHand, appOf, mine, setOAuthStage } from "./oauth/oauthStage.ts"
import { clientOf, setOidcStage } from "./oauth/oidcStage.ts"

const ozon = { owner: "org", integration: "ozon" } as const

/** An integration `ozon` with cabinets by name, each with its label and a credential of its name. */
const setCabinets = async (labels: Readonly<Record<string, string | null>>) => {
  const stage = await setStage({
    tools: { whoami: ({ fetch }) => fetch("/").then(toJson) },
    config: { onElicitation: "accept-all", store: memoryStore() },
  })
  const { executor, upstream } = stage
  await executor.acme.add({ slug: "ozon", baseUrl: upstream.origin, authTemplates: templates })
  for (const [name, identityLabel] of Object.entries(labels)) {
    await executor.connections.create({ ...ozon, name, identityLabel, template: "bearer", value: `of-${name}` })
  }
  return stage
}

/** The credential with which a call arrived, or its code. */
const cabinetOf = async ({ executor, upstream }: Stage, options?: CallOptions): Promise<string> => {
  const result = await executor.call("ozon", "whoami", {}, options)
  const last = upstream.requests.at(-1)
  return result.ok ? String(last && received(last).authorization).replace("Bearer of-", "") : result.error.code
}

describe("an account that a call names", () => {
  it.each([
    ["topZip", "topZip"],
    ["top-zip", "topZip"],
    ["tools.ozon.org.topZip", "topZip"],
    ["TOPZIP", "topZip"],
    ["Top Zip", "topZip"],
    ["ozon:Top Zip", "topZip"],
    ["OZON:second cabinet", "second"],
    ["Second Cabinet", "second"],
    ["second cabinet", "second"],
    ["SECOND", "second"],
    ["ozon:third", "third"],
    ["Über-Laden", "fourth"],
    ["u\u0308ber-laden", "fourth"],
    ["same", "ambiguous_account"],
    ["twin", "ambiguous_account"],
    ["cab", "account_not_found"],
    ["wb:Top Zip", "account_not_found"],
    ["tools.ozon.org.nope", "account_not_found"],
    ["tools.api.org.topZip", "account_not_found"],
    ["__proto__", "account_not_found"],
    ["newest", "account_not_found"],
  ])("as %j is %s", async (account, expected) => {
    const stage = await setCabinets({
      topZip: null,
      second: "Second cabinet",
      third: "topZip",
      fourth: "über-laden",
      one: "Same",
      other: "same",
      twin1: null,
      Twin: null,
      tWin: null,
    })
    expect(await cabinetOf(stage, { account })).toBe(expected)
  })

  it("goes by its name before any label, and by its label whatever is named otherwise", async () => {
    const stage = await setCabinets({ a: "b", b: "c", c: null })
    expect(await cabinetOf(stage, { account: "b" })).toBe("b")
    expect(await cabinetOf(stage, { account: "c" })).toBe("c")
    expect(await cabinetOf(stage, { account: "ozon:a" })).toBe("a")
  })

  it("is found among more than fit on one page", async () => {
    const names = Array.from({ length: 1_101 }, (_, index) => `cabinet${String(index).padStart(4, "0")}`)
    const stage = await setCabinets(Object.fromEntries(names.map((name) => [name, `Cabinet of ${name}`])))
    expect(await cabinetOf(stage, { account: "cabinet of CABINET1100" })).toBe("cabinet1100")
    const failure = failureOf(await stage.executor.call("ozon", "whoami"))
    expect(failure.details).toMatchObject({ hasMore: true })
    expect((failure.details as { candidates: ReadonlyArray<unknown> }).candidates).toHaveLength(20)
  })

  it("is told of, and not taken, where it is the organisation's and a user's own is called for", async () => {
    const stage = await setCabinets({ work: "Work" })
    const alice = stage.executor.withIdentity({ subject: "alice" })
    const failure = failureOf(await alice.call("ozon", "whoami", {}, { account: "Work" }))
    expect(failure).toMatchObject({
      code: "account_not_found",
      details: { owner: "user", candidates: [{ address: "tools.ozon.org.work", identityLabel: "Work", owner: "org" }] },
    })
    expect(stage.upstream.requests).toEqual([])
    const ran = { ok: true, account: { connection: "tools.ozon.org.work" } }
    expect(await alice.call("ozon", "whoami", {}, { account: "tools.ozon.org.work" })).toMatchObject(ran)
    expect(await alice.call("ozon", "whoami", {}, { account: "Work", identity: "org" })).toMatchObject(ran)
    expect(
      await rejectionOf(alice.call("ozon", "whoami", {}, { account: "tools.ozon.org.work", identity: "user" })),
    ).toMatchObject({ _tag: "IdentityConflictError", contradicts: "account" })
  })
})

describe("a full address", () => {
  it("is not called where an option names another account, or somebody else's", async () => {
    const { executor, upstream } = await setCabinets({ first: "First" })
    const call = (options: object) => executor.execute("tools.ozon.org.first.whoami", {}, options)
    expect(await rejectionOf(call({ identity: "user" }))).toMatchObject({
      _tag: "IdentityConflictError",
      contradicts: "address",
    })
    expect(await rejectionOf(call({ account: "other" }))).toMatchObject({
      _tag: "InvalidConnectionInputError",
      field: "account",
    })
    expect(upstream.requests).toEqual([])
    expect(await call({ identity: "org", account: "first" })).toMatchObject({ ok: true })
  })

  it("takes `_identity` away from a prototype too", async () => {
    const { executor } = await setCabinets({ first: "First" })
    const args = Object.create({ _identity: "user" }) as object
    expect(await rejectionOf(executor.execute("tools.ozon.org.first.whoami", args))).toMatchObject({
      _tag: "IdentityConflictError",
    })
  })
})

describe("a call that names no account", () => {
  it("runs as the only one, is ambiguous among several, and never takes the newest", async () => {
    const stage = await setCabinets({ first: "First" })
    expect(await cabinetOf(stage)).toBe("first")
    await stage.executor.connections.create({ ...ozon, name: "newest", template: "bearer", value: "of-newest" })
    const result = await stage.executor.execute("tools.ozon.whoami")
    expect(failureOf(result)).toEqual({
      code: "ambiguous_account",
      message: expect.stringContaining("connections.setDefault") as string,
      retryable: false,
      details: {
        category: "account",
        integration: "ozon",
        owner: "org",
        candidates: [
          { address: "tools.ozon.org.first", identityLabel: "First", owner: "org" },
          { address: "tools.ozon.org.newest", identityLabel: null, owner: "org" },
        ],
        hasMore: false,
      },
    })
    expect(stage.events.at(-1)).toMatchObject({
      type: "account.not_selected",
      integration: "ozon",
      tool: "whoami",
      code: "ambiguous_account",
      owner: "org",
      candidates: ["tools.ozon.org.first", "tools.ozon.org.newest"],
    })
    await stage.executor.connections.remove({ ...ozon, name: "first" })
    expect(await cabinetOf(stage)).toBe("newest")
  })

  it("counts an account that is out of use: a status must not change whose mail is read", async () => {
    const stage = await setCabinets({ first: null, second: null })
    await stage.executor.connections.disable({ ...ozon, name: "second" })
    expect(await cabinetOf(stage)).toBe("ambiguous_account")
    await stage.executor.connections.setDefault({ ...ozon, name: "second" })
    expect(await cabinetOf(stage)).toBe("connection_disabled")
  })

  it("says with every result which account it was and why, and in the event", async () => {
    const stage = await setCabinets({ first: "First" })
    const accountOf = async (call: Promise<ToolResult>) => (await call).account
    const base = { connection: "tools.ozon.org.first", identityLabel: "First", identityMode: "either" }
    expect(await accountOf(stage.executor.call("ozon", "whoami"))).toEqual({ ...base, chosenBy: "only" })
    expect(stage.events.at(-1)).toMatchObject({ type: "tool.called", identityMode: "either", chosenBy: "only" })
    expect(await accountOf(stage.executor.call("ozon", "whoami", {}, { account: "first" }))).toEqual({
      ...base,
      chosenBy: "account",
    })
    expect(await accountOf(stage.executor.call("ozon", "whoami", { _identity: "org" }))).toEqual({
      ...base,
      chosenBy: "only",
      override: "org",
    })
    expect(stage.events.at(-1)).toMatchObject({ type: "tool.called", override: "org", chosenBy: "only" })
    await stage.executor.connections.setDefault({ ...ozon, name: "first" })
    await stage.executor.connections.disable({ ...ozon, name: "first" })
    const failed = await stage.executor.call("ozon", "whoami")
    expect(failed).toMatchObject({ ok: false, account: { ...base, chosenBy: "default" } })
    expect(await accountOf(stage.executor.execute("tools.ozon.org.first.whoami"))).toBeUndefined()
    expect(stage.events.filter(({ type }) => type === "tool.called").at(-1)).toMatchObject({ chosenBy: "address" })
  })
})

describe("a default", () => {
  it("can be set, looked up, moved and cleared, and every change is told", async () => {
    const stage = await setCabinets({ first: null, second: null })
    const { connections } = stage.executor
    expect(await connections.getDefault(ozon)).toBeNull()
    expect(await connections.setDefault({ ...ozon, name: "se-cond" }).catch((error: Error) => error.name)).toBe(
      "ConnectionNotFoundError",
    )
    expect(await connections.setDefault({ ...ozon, name: "second" })).toMatchObject({ name: "second" })
    expect(await cabinetOf(stage)).toBe("second")
    await connections.setDefault({ ...ozon, name: "first" })
    expect(await connections.getDefault(ozon)).toMatchObject({ address: "tools.ozon.org.first" })
    expect(await cabinetOf(stage)).toBe("first")
    await connections.clearDefault(ozon)
    await connections.clearDefault(ozon)
    expect(await connections.getDefault(ozon)).toBeNull()
    expect(await cabinetOf(stage)).toBe("ambiguous_account")
    expect(stage.events.filter(({ type }) => type.startsWith("connection.default"))).toMatchObject([
      { type: "connection.default_set", connection: "tools.ozon.org.second" },
      { type: "connection.default_set", connection: "tools.ozon.org.first" },
      { type: "connection.default_cleared", connection: "tools.ozon.org.first" },
    ])
  })

  it("ends with its connection, and is not taken over by another of the same name", async () => {
    const stage = await setCabinets({ first: null, second: null, third: null })
    const { connections } = stage.executor
    await connections.setDefault({ ...ozon, name: "first" })
    await connections.create({ ...ozon, name: "first", template: "bearer", value: "of-first" })
    expect(await cabinetOf(stage)).toBe("first")
    await connections.remove({ ...ozon, name: "first" })
    expect(await cabinetOf(stage)).toBe("ambiguous_account")
    await connections.create({ ...ozon, name: "first", template: "bearer", value: "of-first" })
    expect(await connections.getDefault(ozon)).toBeNull()
    expect(await cabinetOf(stage)).toBe("ambiguous_account")
  })

  it("is each user's own and apart from the organisation's", async () => {
    const stage = await setCabinets({ first: null, second: null })
    const alice = stage.executor.withIdentity({ subject: "alice" })
    const bob = stage.executor.withIdentity({ subject: "bob" })
    const own = { owner: "user", integration: "ozon" } as const
    for (const caller of [alice, bob]) {
      for (const name of ["one", "two"]) {
        await caller.connections.create({
          ...own,
          name,
          template: "bearer",
          value: `${caller.identity.subject}-${name}`,
        })
      }
    }
    await alice.connections.setDefault({ ...own, name: "two" })
    await alice.connections.setDefault({ ...ozon, name: "second" })
    expect((await alice.call("ozon", "whoami")).account).toMatchObject({ connection: "tools.ozon.user.two" })
    expect(await bob.connections.getDefault(own)).toBeNull()
    expect(failureOf(await bob.call("ozon", "whoami")).code).toBe("ambiguous_account")
    expect((await bob.call("ozon", "whoami", {}, { identity: "org" })).account).toMatchObject({
      connection: "tools.ozon.org.second",
      chosenBy: "default",
    })
    expect(await rejectionOf(stage.executor.connections.getDefault(own))).toMatchObject({ field: "owner" })
  })
})

describe("the connection that a call would run as", () => {
  it("can be asked for, and where there is none the reason is thrown", async () => {
    const stage = await setCabinets({ first: "Twin", second: "twin" })
    const { connections } = stage.executor
    expect(await connections.select("ozon", { account: "first" })).toMatchObject({ address: "tools.ozon.org.first" })
    const ambiguous = await rejectionOf(connections.select("ozon", { account: "TWIN" }))
    expect(ambiguous).toBeInstanceOf(AmbiguousAccountError)
    expect(ambiguous).toMatchObject({ account: "TWIN", owner: "org", hasMore: false, httpStatus: 409 })
    expect((ambiguous as AmbiguousAccountError).candidates.map(({ address }) => address)).toEqual([
      "tools.ozon.org.first",
      "tools.ozon.org.second",
    ])
    const unknown = await rejectionOf(connections.select("ozon", { account: "third" }))
    expect(unknown).toBeInstanceOf(AccountNotFoundError)
    expect(unknown).toMatchObject({ account: "third", httpStatus: 404 })
    expect(unknown.message).toContain("tools.ozon.org.first")
    const required = await rejectionOf(connections.select("api"))
    expect(required).toBeInstanceOf(ConnectionRequiredError)
    expect(required).toMatchObject({ connection: "tools.api.org.main", httpStatus: 409 })
  })
})

describe("an account that nobody has connected", () => {
  it("says what a person has to paste and where, and after that the same call succeeds", async () => {
    const secret = canary("pasted")
    const asked: Array<unknown> = []
    const stage = await setStage({
      tools: { call: ({ fetch }) => fetch("/").then((answer) => answer.status) },
      config: {
        tenant: "acme",
        subject: "alice",
        onElicitation: "accept-all",
        connectUrl: (need) => {
          asked.push(need)
          return `https://host.example/connect/${need.integration}`
        },
      },
    })
    const { executor, events, upstream } = stage
    await executor.integrations.setIdentityMode("api", "per_user")
    const result = await executor.call("api", "call")
    expect(failureOf(result)).toEqual({
      code: "connection_required",
      message: expect.stringContaining("connectUrl") as string,
      retryable: false,
      details: {
        category: "authentication",
        authRequired: true,
        reason: "not_connected",
        integration: "api",
        owner: "user",
        identityMode: "per_user",
        connection: "tools.api.user.main",
        templates: [
          { slug: "bearer", type: "bearer", fields: ["token"] },
          { slug: "basic", type: "basic", fields: ["username", "password"] },
          { slug: "keys", type: "apiKey", fields: ["api", "app"] },
          { slug: "query", type: "apiKey", fields: ["token"] },
        ],
        nextStep: "The person connects it at connectUrl; then repeat the call.",
        connectUrl: "https://host.example/connect/api",
      },
    })
    expect(asked).toEqual([{ tenant: "acme", subject: "alice", integration: "api", owner: "user", name: "main" }])
    expect(events.at(-1)).toMatchObject({ type: "account.not_selected", code: "connection_required", owner: "user" })
    await executor.connections.create({
      owner: "user",
      integration: "api",
      name: "main",
      template: "bearer",
      value: secret,
    })
    const after = await executor.call("api", "call")
    expect(after).toMatchObject({ ok: true, data: 200, account: { connection: "tools.api.user.main" } })
    expect(upstream.requests.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${secret}`])
    new CanaryScanner([secret]).expectNone([result, after, events], "results and events")
  })

  it("is an administrator's to connect where it is the organisation's, and nobody is sent anywhere for it", async () => {
    const { executor, server } = await setOAuthStage({ config: { onElicitation: "accept-all" } })
    await executor.oauth.createClient(appOf(server))
    for (const mode of ["shared", "admin"] as const) {
      await executor.integrations.setIdentityMode("api", mode)
      for (const caller of mode === "admin" ? [executor, executor.withIdentity({})] : [executor]) {
        const { details, message } = failureOf(await caller.call("api", "call"))
        expect(details).toMatchObject({ authRequired: true, owner: "org", identityMode: mode })
        expect(details).not.toHaveProperty("authorizeUrl")
        expect(message).toContain("An administrator")
      }
    }
  })

  it("gives an authorizeUrl through the client of the template's server, the same one until it is used", async () => {
    const { executor, server, events } = await setOAuthStage({ config: { onElicitation: "accept-all" } })
    await executor.oauth.createClient(appOf(server))
    const detailsOf = async () =>
      failureOf(await executor.call("api", "call")).details as { authorizeUrl: string; templates: unknown }
    const first = await detailsOf()
    expect(first).toMatchObject({
      authRequired: true,
      connection: "tools.api.user.main",
      templates: [
        { slug: "oauth", type: "oauth2", fields: [] },
        { slug: "bearer", type: "bearer", fields: ["token"] },
      ],
      authorizeUrl: expect.stringContaining(server.origin) as string,
    })
    expect((await detailsOf()).authorizeUrl).toBe(first.authorizeUrl)
    expect(events.filter(({ type }) => type === "oauth.started")).toHaveLength(1)
    const connected = await executor.oauth.complete({ callbackUrl: await server.visit(first.authorizeUrl) })
    expect(connected).toMatchObject(mine)
    expect(await executor.call("api", "call")).toMatchObject({
      ok: true,
      account: { connection: "tools.api.user.main", chosenBy: "only" },
    })
  })

  it("gives none where a client could be another service's", async () => {
    const { executor, server } = await setOAuthStage({ config: { onElicitation: "accept-all" } })
    const hasUrl = async (slug = "api") =>
      Object.hasOwn(failureOf(await executor.call(slug, "call")).details as object, "authorizeUrl")
    const oauth = { slug: "oauth", type: "oauth2" } as const
    expect(await hasUrl()).toBe(false)
    await executor.oauth.createClient(appByHand(server, { slug: "hand" }))
    expect(await hasUrl()).toBe(true)
    await executor.oauth.createClient(appOf(server, { slug: "other" }))
    expect(await hasUrl(), "two clients, and a template that names no server").toBe(false)
    await executor.oauth.removeClient("org", "other")
    await executor.acme.add({ slug: "calendar", baseUrl: server.origin, authTemplates: [oauth] })
    expect(await hasUrl(), "one client, and two integrations that could mean it").toBe(false)
    expect(await hasUrl("calendar")).toBe(false)
    for (const template of [
      { issuer: "https://elsewhere.example" },
      { tokenUrl: "https://elsewhere.example/token" },
      { issuer: server.issuer },
    ]) {
      await executor.acme.add({ slug: "calendar", baseUrl: server.origin, authTemplates: [{ ...oauth, ...template }] })
      expect(await hasUrl("calendar"), `for ${JSON.stringify(template)}`).toBe(false)
    }
    await executor.acme.add({
      slug: "calendar",
      baseUrl: server.origin,
      authTemplates: [{ ...oauth, tokenUrl: server.tokenUrl }],
    })
    expect(await hasUrl("calendar")).toBe(true)
  })

  it("is connected through a certified provider, and the same call succeeds as that person", async () => {
    const stage = await setOidcStage({ config: { tenant: "acme", subject: "alice", onElicitation: "accept-all" } })
    await stage.executor.integrations.setIdentityMode("files", "per_user")
    expect(failureOf(await stage.executor.call("files", "call")).details).not.toHaveProperty("authorizeUrl")
    await stage.executor.oauth.createClient(clientOf(stage.provider))
    const callback = async (): Promise<string> => {
      const { details } = failureOf(await stage.executor.execute("tools.files.call"))
      const { authorizeUrl } = details as { authorizeUrl: string }
      expect(authorizeUrl.startsWith(stage.provider.issuer)).toBe(true)
      return stage.provider.authorize(authorizeUrl)
    }
    const bob = stage.executor.withIdentity({ tenant: "acme", subject: "bob" })
    expect(await rejectionOf(bob.oauth.complete({ callbackUrl: await callback() }))).toMatchObject({
      reason: "identity_mismatch",
    })
    // That ended the flow, so the next call offers another.
    await stage.executor.oauth.complete({ callbackUrl: await callback() })
    expect(await stage.executor.execute("tools.files.call")).toMatchObject({
      ok: true,
      account: { connection: "tools.files.user.main", identityMode: "per_user", chosenBy: "only" },
    })
    expect(failureOf(await bob.execute("tools.files.call")).code).toBe("connection_required")
  })

  it("is not told to somebody who names no tool that there is", async () => {
    const { executor, events } = await setStage({ plugin: acmePlugin({ call: () => 1 }) })
    expect(await rejectionOf(executor.call("api", "nope"))).toMatchObject({ _tag: "ToolNotFoundError" })
    expect(events).toMatchObject([{ type: "call.refused", tool: "nope", outcome: "ToolNotFoundError" }])
  })

  it("survives a host that cannot say where to send people", async () => {
    for (const connectUrl of [
      () => {
        throw new Error("no idea")
      },
      () => "",
      () => 1 as unknown as string,
    ]) {
      const { executor } = await setStage({ config: { connectUrl } })
      const { details } = failureOf(await executor.call("api", "call"))
      expect(details).toMatchObject({
        authRequired: true,
        nextStep: expect.stringContaining("connections.create") as string,
      })
      expect(details).not.toHaveProperty("connectUrl")
    }
    expect(await rejectionOf(setStage({ config: { connectUrl: "nowhere" } }))).toMatchObject({ field: "connectUrl" })
  })
})
