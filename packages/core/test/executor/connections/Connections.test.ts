/** What happens to connections after they were created: edited, suspended, refreshed, removed, used as a fetch. */
import {
  ConnectionNotFoundError,
  type CreateConnectionInput,
  createExecutor,
  credentialProvider,
  memoryStore,
  ProviderUnavailableError,
} from "@keyward/core"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import {
  acmePlugin,
  countingProvider,
  failureOf,
  main,
  received,
  rejectionOf,
  setStage,
  storeDown,
  templates,
  toJson,
  toolOfMain,
  unreliableStore,
} from "../acme.ts"

const bearer: CreateConnectionInput = { ...main, template: "bearer", value: "s3cr3t-value" }

describe("get and list", () => {
  it("shows each caller the organisation's connections and the own ones, in order", async () => {
    const { executor, upstream } = await setStage()
    await executor.acme.add({ slug: "beta", baseUrl: upstream.origin, authTemplates: templates })
    const alice = executor.withIdentity({ subject: "alice" })
    const bob = executor.withIdentity({ subject: "bob" })
    for (const [caller, owner, integration, name] of [
      [executor, "org", "beta", "one"],
      [executor, "org", "api", "two"],
      [alice, "user", "api", "Zwei"],
      [alice, "user", "api", "eins"],
      [bob, "user", "beta", "one"],
    ] as const) {
      await caller.connections.create({ ...bearer, owner, integration, name })
    }
    const addresses = async (caller: typeof executor, input = {}) =>
      (await caller.connections.list(input)).map(({ address }) => address)
    expect(await addresses(executor)).toEqual(["tools.api.org.two", "tools.beta.org.one"])
    const ofAlice = ["tools.api.org.two", "tools.api.user.Zwei", "tools.api.user.eins", "tools.beta.org.one"]
    expect(await addresses(alice)).toEqual(ofAlice)
    expect(await addresses(alice, { integration: "api" })).toEqual(ofAlice.slice(0, 3))
    expect(await addresses(alice, { owner: "user" })).toEqual(ofAlice.slice(1, 3))
    expect(await addresses(alice, { owner: "org", integration: "beta" })).toEqual(["tools.beta.org.one"])
    const pages: Array<string> = []
    for (let after: string | undefined; ; after = pages.at(-1)) {
      const page = await addresses(alice, { limit: 1, after })
      if (page.length === 0) break
      pages.push(...page)
    }
    expect(pages).toEqual(ofAlice)
    expect(await addresses(bob)).toEqual(["tools.api.org.two", "tools.beta.org.one", "tools.beta.user.one"])
    expect(await addresses(executor.withIdentity({ tenant: "other" }))).toEqual([])
    expect(await bob.connections.get({ owner: "user", integration: "api", name: "eins" })).toBeNull()
    expect(await rejectionOf(alice.connections.list({ after: "nonsense" }))).toMatchObject({ field: "after" })
  })
})

describe("update", () => {
  it("leaves what is absent, clears what is null, and touches nothing else", async () => {
    const vault = countingProvider()
    const { executor, events } = await setStage({ config: { providers: [vault.provider] } })
    const created = await executor.connections.create({ ...bearer, identityLabel: "me", description: "what for" })
    vault.calls.length = 0
    const { update } = { update: (input: object) => executor.connections.update(main, input) }
    expect(await update({})).toEqual(created)
    expect(await update({ description: undefined })).toEqual(created)
    expect(await update({ description: "else" })).toEqual({ ...created, description: "else" })
    expect(await update({ identityLabel: null })).toEqual({ ...created, description: "else", identityLabel: null })
    expect(await update({ description: "", identityLabel: "you" })).toEqual({
      ...created,
      description: "",
      identityLabel: "you",
    })
    expect(await rejectionOf(update({ description: 7 }))).toMatchObject({ _tag: "InvalidConnectionInputError" })
    expect(await executor.connections.get(main)).toMatchObject({ description: "", identityLabel: "you" })
    expect(vault.calls).toEqual([])
    expect(events.filter(({ type }) => type === "connection.updated")).toHaveLength(5)
  })

  it("names a connection that is not there, as every method does that changes one", async () => {
    const { executor } = await setStage()
    const { connections } = executor
    for (const call of [
      connections.update(main, {}),
      connections.remove(main),
      connections.refresh(main),
      connections.disable(main),
      connections.enable(main),
      connections.fetch(main)("/"),
      executor.execute(toolOfMain()),
    ]) {
      const error = await rejectionOf(call)
      expect(error).toBeInstanceOf(ConnectionNotFoundError)
      expect(error).toMatchObject({ connection: "tools.api.org.main", httpStatus: 404 })
    }
    expect(await connections.get(main)).toBeNull()
  })

  it("says so when another process changed the row in between", async () => {
    const store = memoryStore()
    const racing = {
      ...store,
      connections: {
        ...store.connections,
        put: (row: Parameters<typeof store.connections.put>[0], version: number) =>
          row.description === "late" ? Effect.succeed(false) : store.connections.put(row, version),
      },
    }
    const { executor } = await setStage({ config: { store: racing } })
    await executor.connections.create(bearer)
    expect(await rejectionOf(executor.connections.update(main, { description: "late" }))).toMatchObject({
      _tag: "ConnectionConflictError",
      httpStatus: 409,
    })
  })
})

describe("disable and enable", () => {
  it("stops calls before anything is read, and lets them through again", async () => {
    const vault = countingProvider()
    const { executor, upstream } = await setStage({ config: { providers: [vault.provider] } })
    await executor.connections.create(bearer)
    expect(await executor.connections.disable(main)).toMatchObject({
      status: "disabled",
      statusReason: "disabled_by_host",
    })
    vault.calls.length = 0
    expect(failureOf(await executor.execute(toolOfMain()))).toMatchObject({
      code: "connection_disabled",
      retryable: false,
      details: { category: "authentication", connection: "tools.api.org.main", reason: "disabled_by_host" },
    })
    expect(await rejectionOf(executor.connections.fetch(main)("/"))).toMatchObject({ code: "connection_disabled" })
    expect([vault.calls, upstream.requests]).toEqual([[], []])
    expect(await executor.connections.enable(main)).toMatchObject({ status: "active", statusReason: null })
    expect(await executor.execute(toolOfMain())).toMatchObject({ ok: true })
  })
})

describe("an integration that moves", () => {
  const setMoving = async () => {
    const stage = await setStage()
    await stage.executor.connections.create(bearer)
    const move = (origins: ReadonlyArray<string>) =>
      stage.executor.acme.add({ slug: "api", baseUrl: origins[0], origins, authTemplates: templates })
    return { ...stage, move }
  }
  const statusOf = async ({ executor }: Awaited<ReturnType<typeof setMoving>>) => {
    const [listed] = await executor.connections.list()
    expect(await executor.connections.get(main)).toEqual(listed)
    return [listed?.status, listed?.statusReason]
  }

  it("suspends its connections when it gains an origin, until they are confirmed", async () => {
    const stage = await setMoving()
    const { executor, upstream, events, move } = stage
    await move([upstream.origin, "https://elsewhere.example"])
    expect(await statusOf(stage)).toEqual(["disabled", "origins_changed"])
    const failure = failureOf(await executor.execute(toolOfMain()))
    expect(failure).toMatchObject({ code: "connection_disabled", details: { reason: "origins_changed" } })
    expect(failure.message).toContain("connections.enable")
    expect(upstream.requests).toEqual([])
    expect(await executor.connections.enable(main)).toMatchObject({ status: "active", statusReason: null })
    expect(await executor.execute(toolOfMain())).toMatchObject({ ok: true })
    expect(events.find(({ type }) => type === "integration.updated")).toMatchObject({
      originsChanged: true,
      revision: 2,
    })
  })

  it("does not suspend when origins shrink, or when it moves back", async () => {
    const stage = await setMoving()
    const { upstream, move, executor, events } = stage
    await move([upstream.origin, "https://elsewhere.example"])
    await move([upstream.origin])
    expect(await statusOf(stage)).toEqual(["active", null])
    await move([upstream.origin, "https://elsewhere.example"])
    await executor.connections.enable(main)
    await move([upstream.origin])
    expect(await statusOf(stage)).toEqual(["active", null])
    expect(events.at(-1)).toMatchObject({ type: "integration.updated", originsChanged: false })
  })

  it("suspends when every origin is another one, and a replacement confirms too", async () => {
    const stage = await setMoving()
    const { executor, upstream, move } = stage
    await move(["https://elsewhere.example"])
    expect(await statusOf(stage)).toEqual(["disabled", "origins_changed"])
    await move([upstream.origin, "https://elsewhere.example"])
    await executor.connections.create(bearer)
    expect(await statusOf(stage)).toEqual(["active", null])
  })

  it("keeps a connection disabled that the host disabled, whatever the origins do", async () => {
    const stage = await setMoving()
    await stage.executor.connections.disable(main)
    await stage.move(["https://elsewhere.example"])
    expect(await statusOf(stage)).toEqual(["disabled", "disabled_by_host"])
  })

  it("tells a connection whose template went away what to do", async () => {
    const { executor, upstream } = await setMoving()
    await executor.acme.add({
      slug: "api",
      baseUrl: upstream.origin,
      authTemplates: [{ slug: "basic", type: "basic" }],
    })
    expect(failureOf(await executor.execute(toolOfMain()))).toMatchObject({
      code: "connection_disabled",
      details: { reason: "template_removed" },
    })
  })
})

describe("remove", () => {
  it("deletes what was minted, and with it the tools", async () => {
    const vault = countingProvider()
    const { executor, events } = await setStage({ config: { providers: [vault.provider] } })
    await executor.connections.create({ ...main, template: "keys", values: { api: "1", app: "2" } })
    expect(await executor.connections.remove(main)).toBeUndefined()
    expect([...vault.items]).toEqual([])
    expect([await executor.connections.list(), await executor.tools.list()]).toEqual([[], []])
    expect(events.at(-1)).toMatchObject({ type: "connection.removed", connection: "tools.api.org.main" })
    expect(await rejectionOf(executor.connections.remove(main))).toBeInstanceOf(ConnectionNotFoundError)
  })

  it("leaves external items alone, those of a writable provider too", async () => {
    const vault = countingProvider()
    vault.items.set("mine", "v")
    const { executor } = await setStage({ config: { providers: [vault.provider] } })
    await executor.connections.create({ ...main, template: "bearer", from: { provider: "vault", id: "mine" } })
    await executor.connections.remove(main)
    expect([[...vault.items.keys()], vault.calls]).toEqual([["mine"], []])
  })

  it("leaves what other connections and other callers have", async () => {
    const vault = countingProvider()
    const { executor } = await setStage({ config: { providers: [vault.provider] } })
    const alice = executor.withIdentity({ subject: "alice" })
    await executor.connections.create(bearer)
    await executor.connections.create({ ...bearer, name: "main2" })
    await alice.connections.create({ ...bearer, owner: "user" })
    await alice.connections.remove({ ...main, owner: "user" })
    await executor.connections.remove(main)
    expect([...vault.items.keys()]).toEqual(["default/connection:org:api:main2:token"])
  })

  it("keeps the connection, disabled, while its provider cannot delete, and finishes when repeated", async () => {
    let isLocked = true
    const locked = new ProviderUnavailableError({ provider: "vault", reason: "locked", nextStep: "Unlock it." })
    const vault = countingProvider({
      delete: (id) => (isLocked ? Promise.reject(locked) : void vault.items.delete(id)),
    })
    const { executor } = await setStage({ config: { providers: [vault.provider] } })
    await executor.connections.create(bearer)
    expect(await rejectionOf(executor.connections.remove(main))).toBe(locked)
    expect(await executor.connections.list()).toMatchObject([
      { status: "disabled", statusReason: "removal_incomplete" },
    ])
    expect(failureOf(await executor.execute(toolOfMain()))).toMatchObject({
      code: "connection_disabled",
      details: { reason: "removal_incomplete" },
    })
    isLocked = false
    await executor.connections.remove(main)
    expect([await executor.connections.list(), [...vault.items]]).toEqual([[], []])
  })

  it("gives up on a provider that hangs while deleting", async () => {
    const vault = countingProvider({ delete: () => new Promise<never>(() => {}) })
    const { executor } = await setStage({ config: { providers: [vault.provider], providerTimeoutMs: 30 } })
    await executor.connections.create(bearer)
    expect(await rejectionOf(executor.connections.remove(main))).toMatchObject({ _tag: "ProviderTimeoutError" })
    expect(await executor.connections.list()).toMatchObject([{ statusReason: "removal_incomplete" }])
  })

  it("says that it is under way, and can be repeated, after the store failed half way", async () => {
    let isBroken = false
    const told: Array<unknown> = []
    const store = unreliableStore((operation) =>
      isBroken && operation === "connections.remove" ? storeDown(operation) : Effect.void,
    )
    const { executor } = await setStage({ config: { store, onEvent: (event) => told.push(event) } })
    await executor.connections.create(bearer)
    isBroken = true
    told.length = 0
    expect(await rejectionOf(executor.connections.remove(main))).toMatchObject({ _tag: "StoreUnavailableError" })
    expect(await executor.connections.get(main)).toMatchObject({
      status: "disabled",
      statusReason: "removal_incomplete",
    })
    expect(told).toMatchObject([{ type: "connection.disabled", reason: "removal_incomplete" }])
    isBroken = false
    await executor.connections.remove(main)
    expect(await executor.connections.list()).toEqual([])
  })

  it("works when the provider is not registered any more", async () => {
    const store = memoryStore()
    const { executor } = await setStage({ config: { store } })
    await executor.connections.create(bearer)
    const later = await createExecutor({ store })
    await later.connections.remove(main)
    expect(await later.connections.list()).toEqual([])
  })
})

describe("refresh", () => {
  it("asks the plugin again and answers with the tools", async () => {
    let names = ["one"]
    for (const catalog of ["integration", "connection"] as const) {
      names = ["one"]
      const plugin = acmePlugin(
        { one: () => 1, two: () => 2 },
        {
          catalog,
          resolveTools: () =>
            names.map((name) => ({ name, description: `does ${name}`, annotations: { readOnlyHint: true } })),
        },
      )
      const { executor, events } = await setStage({ plugin })
      await executor.connections.create(bearer)
      names = ["one", "two"]
      expect(await executor.tools.list()).toHaveLength(1)
      const tools = await executor.connections.refresh(main)
      expect(tools.map(({ address }) => address)).toEqual([toolOfMain("one"), toolOfMain("two")])
      expect(await executor.tools.list()).toEqual(tools)
      expect(await executor.execute(toolOfMain("two"))).toEqual({ ok: true, data: 2 })
      expect(events.at(-2)).toMatchObject({ type: "connection.refreshed", connection: "tools.api.org.main" })
    }
  })

  it("leaves the tools as they were when that fails", async () => {
    let isDown = false
    const plugin = acmePlugin(
      { one: () => 1 },
      { catalog: "connection", resolveTools: () => (isDown ? Promise.reject(new Error("down")) : [{ name: "one" }]) },
    )
    const { executor } = await setStage({ plugin })
    await executor.connections.create(bearer)
    isDown = true
    expect(await rejectionOf(executor.connections.refresh(main))).toMatchObject({ _tag: "ToolResolutionError" })
    expect(await executor.tools.list()).toHaveLength(1)
  })
})

describe("fetch", () => {
  it("is returned at once, reads nothing until it is used, and resolves relative URLs against the base URL", async () => {
    const vault = countingProvider()
    const { executor, upstream } = await setStage({ config: { providers: [vault.provider] } })
    await executor.acme.add({ slug: "api", baseUrl: `${upstream.origin}/v1`, authTemplates: templates })
    const authorized = executor.connections.fetch(main)
    await executor.connections.create(bearer)
    expect(vault.calls.filter((call) => call.startsWith("get"))).toEqual([])
    for (const url of ["/a?b=c", "a?b=c", `${upstream.origin}/v1/a?b=c`, new URL(`${upstream.origin}/v1/a?b=c`)]) {
      const response = await authorized(url)
      expect([response.ok, response.url]).toEqual([true, `${upstream.origin}/v1/a?b=c`])
    }
    await authorized(new Request(`${upstream.origin}/v1/a?b=c`, { method: "POST", body: "x" }))
    expect(upstream.requests.map(({ url }) => url)).toEqual(Array.from({ length: 5 }, () => "/v1/a?b=c"))
    expect(upstream.requests.map(({ headers }) => headers.authorization)).toEqual(
      Array.from({ length: 5 }, () => "Bearer s3cr3t-value"),
    )
    expect(vault.calls.filter((call) => call.startsWith("get"))).toHaveLength(5)
  })

  it("refuses another origin before anything leaves or is read", async () => {
    const vault = countingProvider()
    const { executor, upstream } = await setStage({ config: { providers: [vault.provider] } })
    await executor.connections.create(bearer)
    vault.calls.length = 0
    for (const url of ["https://evil.example/", `${upstream.origin.replace("127.0.0.1", "localhost")}/`, "//evil/"]) {
      expect(await rejectionOf(executor.connections.fetch(main)(url))).toMatchObject({
        _tag: expect.stringMatching(/^(OriginNotAllowedError|InvalidRequestError)$/) as string,
      })
    }
    expect([vault.calls, upstream.requests]).toEqual([[], []])
  })

  it("hands responses on as they are, and does not tell the secret that went into the query", async () => {
    const { executor, upstream, events } = await setStage({ upstream: () => ({ status: 401, json: { no: true } }) })
    await executor.connections.create({ ...main, template: "query", value: "s3cr3t-value" })
    const response = await executor.connections.fetch(main)("/a?b=c")
    expect([response.status, await response.json()]).toEqual([401, { no: true }])
    expect(upstream.requests.map(({ url }) => url)).toEqual(["/a?b=c&key=s3cr3t-value"])
    expect(response.url).not.toContain("s3cr3t-value")
    expect(events.at(-1)).toMatchObject({ type: "credential.failed", code: "connection_rejected", reason: "http_401" })
  })

  it("rejects with the typed failure of the credential, and tells the listener", async () => {
    const vault = credentialProvider({ key: "vault", get: () => undefined })
    const { executor, upstream, events } = await setStage({ config: { providers: [vault] } })
    await executor.connections.create({ ...main, template: "bearer", from: { provider: "vault", id: "x" } })
    expect(await rejectionOf(executor.connections.fetch(main)("/"))).toMatchObject({
      _tag: "ConnectionCredentialError",
      code: "connection_value_missing",
    })
    expect(upstream.requests).toEqual([])
    expect(events.at(-1)).toMatchObject({ type: "credential.failed", code: "connection_value_missing" })
  })

  it("sees a connection as it is when a request is made", async () => {
    const { executor, upstream } = await setStage()
    const authorized = executor.connections.fetch(main)
    await executor.connections.create(bearer)
    await authorized("/").then(toJson)
    await executor.connections.create({ ...bearer, value: "another" })
    await authorized("/").then(toJson)
    await executor.connections.remove(main)
    expect(await rejectionOf(authorized("/"))).toBeInstanceOf(ConnectionNotFoundError)
    expect(upstream.requests.map(received)).toMatchObject([
      { authorization: "Bearer s3cr3t-value" },
      { authorization: "Bearer another" },
    ])
  })
})
