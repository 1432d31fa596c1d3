/**
 * The threats of OAuth by their numbers, T1 to T20, each at the level of the executor. What another file proves is named here instead:
 *
 * - T1  also "sends no code anywhere when another server answers in the flow's name (T1)" (authorizationCodeFlow), rfc9207
 * - T2  "knows no flow that was finished, cancelled, never begun, or begun in another tenant (T2)", "redeems a code once when two
 *       callbacks arrive together (B5)", "knows no flow that is older than ten minutes" (authorizationCodeFlow)
 * - T3  "is not for %s when alice began: no request, and the flow is burned (T3, M3)" (authorizationCodeFlow), "is its own person's:
 *       another's poll ends it before any request (T3)" (deviceFlow)
 * - T4  nothing here redirects a browser; where the callback arrived is compared: "is not for a callback that arrived at %s (M1)"
 *       (authorizationCodeFlow), "may go to plain http on this machine" and what is refused beside it (rfc6749.authorization)
 * - T5  also the literals and names of AddressPolicy and Egress, "leads inside: to an address or a port that the host did not list"
 * - T6  canaries
 * - T7  also originBinding's properties, "suspends exactly when an origin is new (property)" (Connection)
 * - T8  also "a redirect to another origin" and "is refused on %i when the body holds the secret, as text or bytes" (Egress)
 * - T9  "whose %s is %j is refused: it cannot be sent unchanged" (rfc6749.token), "refuses %s in a header, without quoting it" (applyAuth)
 * - T10 also isolation, whose names are made to collide; item ids: ConnectionRef
 * - T11 also "cannot reach into prototypes" (rfc8414), "is not upset by provider parameters named like parts of a prototype"
 *       (rfc6749.authorization)
 * - T13 promises nothing: strings cannot be wiped
 * - T15 also "lives for a minute of our clock, is for the issuer alone, and is never the same twice" (clientAuthentication)
 * - T16 also "is not managed at an address %s", "with %s is refused" (rfc7591)
 * - T17 "does not show a person the address %j, alone or with the code in it" (rfc8628)
 * - T18 whoever calls is the identity that the host gave; isolation
 * - T20 also "a hostile header of 16 KB" (Challenge)
 */
import { createHash, generateKeyPair } from "node:crypto"
import { promisify } from "node:util"
import { type CreateOAuthClientInput, type Executor, memoryStore, type Store } from "@keyward/core"
import {
  CanaryScanner,
  type FakeUpstream,
  fakeUpstream,
  type MisbehavingAuthorizationServer,
  misbehavingAuthorizationServer,
} from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import { afterEach, describe, expect, it, vi } from "vitest"
import { eventually } from "../../eventually.ts"
import { type AcmePlugin, failureOf, rejectionOf } from "../acme.ts"
import { connectAccount } from "./account.ts"
import {
  appByHand,
  appOf,
  connect,
  flowOfMine,
  mine,
  type OAuthStage,
  setOAuthStage,
  startRedirect,
} from "./oauthStage.ts"

afterEach(() => void vi.useRealTimers())

/** Everything that a server was sent, at any endpoint. */
const logOf = (server: MisbehavingAuthorizationServer): ReadonlyArray<unknown> =>
  (
    [
      "authorize",
      "token",
      "device_authorization",
      "revocation",
      "registration",
      "pushed_authorization_request",
      "resource",
    ] as const
  )
    .flatMap((endpoint) => server.requests(endpoint))
    .map(({ headers, parameters }) => [headers, [...parameters]])

/** Lets requests through to everything on the loopback, so that what keeps one back is not the address. */
const everyPort = { egress: { allowHosts: ["127.0.0.1"] } }

const call = (executor: Pick<Executor, "execute">) => executor.execute("tools.api.user.main.call")

describe("T1 a server that leads the person to another one (mix-up)", () => {
  /** `evil` takes the person to `honest`, in the name of the honest server's own client and with the state of evil's flow. */
  const led = async (
    { executor, server: evil }: OAuthStage,
    honest: MisbehavingAuthorizationServer,
    honestRedirectUri: string,
    evilRedirectUri: string,
  ): Promise<string> => {
    const { authorizationUrl } = await startRedirect(executor, { ...flowOfMine, redirectUri: evilRedirectUri })
    const asked = new URL(authorizationUrl).searchParams
    const location = new URL(honest.authorizationUrl)
    location.search = new URLSearchParams({
      response_type: "code",
      client_id: "honest-app",
      redirect_uri: honestRedirectUri,
      state: asked.get("state") ?? "",
      // The proof key does not help: evil has seen its challenge.
      code_challenge: asked.get("code_challenge") ?? "",
      code_challenge_method: "S256",
    }).toString()
    evil.next("authorize", { fault: "redirect", location: location.href })
    return honest.visit(await evil.visit(authorizationUrl))
  }

  // What is pushed does not show in the URL, and evil would read it anyway.
  const unpushed = { pushed_authorization_request_endpoint: undefined }
  const shared = "http://127.0.0.1:4319/oauth/callback"
  it.each([
    ["names itself in its answer", {}, {}, shared, "iss_mismatch"],
    ["does not, and evil says that it would", {}, { iss: null }, shared, "iss_missing"],
    [
      "does not, nor does evil, and each client has a callback of its own",
      { authorization_response_iss_parameter_supported: undefined },
      { iss: null },
      "http://127.0.0.1:4319/oauth/callback/evil",
      "redirect_uri_mismatch",
    ],
  ])("learns no code when the honest one %s", async (_, metadata, changes, evilRedirectUri, reason) => {
    const stage = await setOAuthStage({ server: { metadata: { ...unpushed, ...metadata } } })
    await using honest = await misbehavingAuthorizationServer()
    honest.always("authorize", { fault: "callback", parameters: changes })
    await stage.executor.oauth.createClient(appOf(stage.server))
    const callbackUrl = await led(stage, honest, shared, evilRedirectUri)
    const code = new URL(callbackUrl).searchParams.get("code") ?? ""
    expect(await rejectionOf(stage.executor.oauth.complete({ callbackUrl }))).toMatchObject({ reason })
    expect(code).toMatch(/^canary-code-/)
    new CanaryScanner([code]).expectNone(logOf(stage.server), "what the malicious server was sent")
    expect([...stage.server.requests("token"), ...honest.requests("token")]).toEqual([])
    // The flow is over, too.
    expect(await rejectionOf(stage.executor.oauth.complete({ callbackUrl }))).toMatchObject({
      _tag: "OAuthSessionNotFoundError",
    })
  })
})

describe("T5 an address inside the network", () => {
  const literals = (sink: FakeUpstream): ReadonlyArray<string> => {
    const port = new URL(sink.origin).port
    return [
      sink.origin,
      `http://localhost:${port}`,
      `http://127.1:${port}`,
      `http://[::1]:${port}`,
      `https://0x7f.1:${port}`,
      `https://2130706433:${port}`,
      `https://017700000001:${port}`,
      `https://①②⑦.⓪.⓪.①:${port}`,
      `https://[::ffff:127.0.0.1]:${port}`,
      `https://[::ffff:7f00:1]:${port}`,
      `https://0.0.0.0:${port}`,
      `https://[::]:${port}`,
      "https://169.254.169.254",
      "https://[::ffff:a9fe:a9fe]",
      "https://[64:ff9b::a9fe:a9fe]",
      "https://10.0.0.1",
      "https://172.16.0.1",
      "https://192.168.0.1",
      "https://100.64.0.1",
      "https://[fe80::1]",
      "https://[fd00:ec2::254]",
    ]
  }

  /** Each way in which somebody else may say where a request goes, and what that is answered with. */
  const ways: Readonly<Record<string, (stage: OAuthStage, origin: string) => Promise<unknown>>> = {
    "the URL that is probed": ({ executor }, origin) => executor.oauth.probe({ url: `${origin}/mcp` }),
    "the server that a resource names": ({ executor, server }, origin) => {
      server.next("protected_resource_metadata", { fault: "change", json: { authorization_servers: [origin] } })
      return executor.oauth.probe({ url: server.resourceUrl })
    },
    "an issuer": async ({ executor }, origin) => {
      await executor.oauth.createClient({ ...base, grant: "authorization_code", issuer: origin })
      return executor.oauth.start(flowOfMine)
    },
    "a token endpoint": async ({ executor }, origin) => {
      await executor.oauth.createClient({ ...base, ...machine, tokenUrl: `${origin}/token` })
      return executor.oauth.start(flowOfMine)
    },
    "a device authorization endpoint": async ({ executor, server }, origin) => {
      const deviceAuthorizationUrl = `${origin}/device`
      await executor.oauth.createClient({
        ...base,
        grant: "device_code",
        deviceAuthorizationUrl,
        tokenUrl: server.tokenUrl,
      })
      return executor.oauth.start(flowOfMine)
    },
    "an endpoint for pushed requests": async ({ executor, server }, origin) => {
      const pushedAuthorizationRequestUrl = `${origin}/par`
      await executor.oauth.createClient({
        ...appByHand(server),
        clientSecret: "a secret that stays",
        pushedAuthorizationRequestUrl,
      })
      return executor.oauth.start(flowOfMine)
    },
    "a registration endpoint": async (_, origin) => {
      const { executor, server } = await setOAuthStage({
        server: { metadata: { registration_endpoint: `${origin}/register` } },
      })
      return executor.oauth.registerDynamicClient({ owner: "org", slug: "dyn", issuer: server.issuer })
    },
    "a token endpoint in the metadata": async (_, origin) => {
      const { executor, server } = await setOAuthStage({ server: { metadata: { token_endpoint: `${origin}/token` } } })
      await executor.oauth.createClient(appOf(server, machine))
      return executor.oauth.start(flowOfMine)
    },
  }
  const base = { owner: "org", slug: "app", clientId: "app-id" } as const
  const machine = { grant: "client_credentials", clientSecret: "a secret that stays" } as const

  it.each(Object.keys(ways))("is not asked by way of %s", async (name) => {
    await using sink = await fakeUpstream(() => ({ json: { issuer: "https://here.example" } }))
    const stage = await setOAuthStage()
    for (const origin of literals(sink)) {
      const error = await rejectionOf(ways[name]?.(stage, origin) ?? Promise.resolve())
      expect([origin, `${(error as { readonly reason?: string }).reason} ${error.message}`]).toEqual([
        origin,
        expect.stringMatching(/address_not_allowed|insecure_endpoint|egress\.allowHosts/),
      ])
    }
    expect(sink.requests).toEqual([])
  })

  it("is not told a token by way of a revocation endpoint", async () => {
    await using sink = await fakeUpstream(() => ({}))
    for (const origin of literals(sink)) {
      const stage = await setOAuthStage({ server: { metadata: { revocation_endpoint: `${origin}/revoke` } } })
      await stage.executor.oauth.createClient(appOf(stage.server))
      await connect(stage)
      await stage.executor.connections.remove(mine)
      await eventually(() => expect(stage.vault.items.size).toBe(0))
      expect(stage.events.at(-1)).toMatchObject({ type: "oauth.revocation_failed" })
    }
    expect(sink.requests).toEqual([])
  })
})

describe("T7 a request to somewhere else in a connection's name", () => {
  it("does not carry the token, however the target is spelled", async () => {
    await using sink = await fakeUpstream(() => ({}))
    const account = await connectAccount({ config: everyPort })
    await account.expire()
    const authorized = account.executor.connections.fetch(account.ref)
    const { host } = new URL(sink.origin)
    for (const target of [
      sink.origin,
      `//${host}/`,
      `\\\\${host}/`,
      `/\\${host}/`,
      `http:${host}`,
      `http://${account.server.host}@${host}/`,
      `${account.server.origin}@${host}/`,
      `/../..//${host}/`,
    ]) {
      await authorized(target).catch((error: unknown) => error)
    }
    expect(sink.requests).toEqual([])
    expect((await authorized("/resource")).status).toBe(200)
  })

  it("is refused for a connection whose integration moved, refresh included, until somebody says yes", async () => {
    await using sink = await fakeUpstream(() => ({ json: {} }))
    const stage = await setOAuthStage({ config: everyPort })
    await stage.executor.oauth.createClient(appOf(stage.server))
    await connect(stage)
    const before = stage.server.requests("token").length
    await stage.executor.acme.add({
      slug: "api",
      baseUrl: sink.origin,
      authTemplates: [{ slug: "oauth", type: "oauth2", scopes: ["read", "write"] }],
    })
    expect(failureOf(await call(stage.executor)).code).toBe("connection_disabled")
    expect(stage.server.requests("token")).toHaveLength(before)
    expect(sink.requests).toEqual([])
  })
})

describe("T8 a redirect", () => {
  it.each([301, 302, 303, 307, 308] as const)(
    "of the token endpoint (%i) takes no refresh token along",
    async (status) => {
      await using sink = await fakeUpstream(() => ({ json: {} }))
      const account = await connectAccount({ config: everyPort })
      account.server.always("token", { fault: "redirect", location: `${sink.origin}/token`, status })
      await account.expire()
      expect(failureOf(await account.call()).code).toBe("oauth_refresh_failed")
      expect(sink.requests).toEqual([])
      account.server.always("token", undefined)
      // Nothing was lost by it.
      expect((await account.row()).status).toBe("active")
    },
  )

  it.each([302, 307] as const)("of the resource to another origin (%i) takes no token along", async (status) => {
    await using sink = await fakeUpstream(() => ({ json: {} }))
    const stage = await connectAccount({ config: everyPort })
    stage.server.always("resource", { fault: "redirect", location: `${sink.origin}/away`, status })
    await stage.call()
    new CanaryScanner(stage.server.secrets).expectNone(
      sink.requests.map(({ url, rawHeaders, text }) => [url, rawHeaders, text]),
      "the other origin's requests",
    )
    expect(sink.requests.length).toBeGreaterThan(0)
  })
})

describe("T10, T11 names made to escape, collide or pollute", () => {
  const hostile = ["__proto__", "constructor", "toString", "hasOwnProperty", "prototype", "$", "org", "user"]

  it("are names like others: for clients, connections and integrations", async () => {
    const { executor, server } = await setOAuthStage()
    const own = Object.getOwnPropertyNames(Object.prototype)
    for (const slug of hostile) {
      await executor.acme.add({
        slug,
        baseUrl: server.origin,
        authTemplates: [{ slug: "oauth", type: "oauth2", scopes: ["read"] }],
      })
      await executor.oauth.createClient(appOf(server, { slug, clientId: `id of ${slug}` }))
      const connection = await connect(
        { executor, server },
        { owner: "user", integration: slug, name: slug, client: slug, clientOwner: "org", template: "oauth" },
      )
      expect(connection).toMatchObject({ integration: slug, oauthClient: slug, status: "active" })
    }
    expect((await executor.oauth.listClients()).map(({ slug }) => slug).toSorted()).toEqual(hostile.toSorted())
    const grants = new Set<unknown>()
    for (const slug of hostile) {
      const { name } = (await executor.connections.list()).find((one) => one.integration === slug) ?? { name: "" }
      const result = await executor.execute(`tools.${slug}.user.${name}.call`)
      expect(result).toMatchObject({ ok: true })
      grants.add(JSON.stringify(result))
    }
    expect(grants.size).toBe(hostile.length)
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(own)
  })

  it.each(["", ".", "..", "../x", "a/b", "a\\b", "a:b", "a.b", "a b", "\0", "a\0", "x".repeat(129), "a\r\nb", "%2e"])(
    "are refused as the slug of a client: %j",
    async (slug) => {
      const { executor, server } = await setOAuthStage()
      expect(await rejectionOf(executor.oauth.createClient(appOf(server, { slug })))).toMatchObject({ field: "slug" })
      expect(await rejectionOf(executor.oauth.removeClient("org", slug))).toMatchObject({ field: "slug" })
      expect(await executor.oauth.listClients()).toEqual([])
    },
  )

  it("are members like others in what a server says", async () => {
    const { executor, server } = await setOAuthStage()
    await executor.oauth.createClient(appOf(server))
    const own = Object.getOwnPropertyNames(Object.prototype)
    const polluting = JSON.parse(
      '{"__proto__":{"polluted":"yes","isIssRequired":false},"constructor":{"prototype":{"polluted":"yes"}}}',
    ) as Record<string, unknown>
    server.always("metadata", { fault: "change", json: polluting })
    server.always("token", { fault: "change", json: polluting })
    expect(await connect({ executor, server })).toMatchObject({ status: "active" })
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined()
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(own)
  })
})

describe("T12 the state of a flow", () => {
  it("is looked up by its hash: no store ever sees it", async () => {
    const handed: Array<unknown> = []
    const store = noted(handed)
    const stage = await setOAuthStage({ config: { store } })
    await stage.executor.oauth.createClient(appOf(stage.server))
    const { authorizationUrl, state } = await startRedirect(stage.executor)
    await stage.executor.oauth.complete({ callbackUrl: await stage.server.visit(authorizationUrl) })
    const cancelled = await startRedirect(stage.executor)
    await stage.executor.oauth.cancel(cancelled.state)
    await rejectionOf(stage.executor.oauth.complete({ state, code: "c" }))
    await rejectionOf(stage.executor.oauth.poll(state))
    new CanaryScanner([state, cancelled.state]).expectNone(handed, "what the store was handed")
    expect(JSON.stringify(handed)).toContain(createHash("sha256").update(state).digest("base64url"))
  })
})

describe("T14 tenants and people with the same names for everything", () => {
  const identities = [
    { tenant: "acme", subject: "alice" },
    { tenant: "acme", subject: "bob" },
    { tenant: "globex", subject: "alice" },
    { tenant: "acme:alice", subject: "x" },
    { tenant: "acme", subject: "alice:x" },
    { tenant: "acme%3Aalice", subject: "x" },
    { tenant: "__proto__", subject: "constructor" },
  ]
  type Everyone = ReadonlyArray<{
    readonly executor: Executor<readonly [AcmePlugin]>
    readonly key: ReturnType<typeof keyOf>
  }>
  const keyOf = (identity: (typeof identities)[number]) => ({ ...identity, ...mine })

  const setEveryone = async (): Promise<{ readonly stage: OAuthStage; readonly everyone: Everyone }> => {
    const stage = await setOAuthStage()
    const everyone = identities.map((identity) => ({
      executor: stage.executor.withIdentity(identity),
      key: keyOf(identity),
    }))
    for (const { executor, key } of everyone) {
      await executor.acme.add({
        slug: "api",
        baseUrl: stage.server.origin,
        authTemplates: [{ slug: "oauth", type: "oauth2", scopes: ["read"] }],
      })
      const client: CreateOAuthClientInput = appByHand(stage.server, {
        owner: "user",
        clientId: JSON.stringify([key.tenant, key.subject]),
        clientSecret: `secret of ${key.tenant} ${key.subject}`,
      })
      await executor.oauth.createClient(client)
    }
    return { stage, everyone }
  }

  const flow = { ...flowOfMine, clientOwner: "user" } as const
  const grantOf = async (executor: Pick<Executor, "execute">): Promise<unknown> => {
    const result = await call(executor)
    if (!result.ok) throw new Error(JSON.stringify(result.error))
    return (result.data as { readonly grant: string }).grant
  }

  it("have flows, tokens, refreshes, cool-downs and ways on of their own", async () => {
    const { stage, everyone } = await setEveryone()
    const { server, store } = stage
    const edit = async (key: Everyone[number]["key"], change: object): Promise<void> => {
      const row = await Effect.runPromise(store.connections.get(key))
      if (row === undefined) throw new Error("There is no row.")
      await Effect.runPromise(store.connections.put({ ...row, ...change, version: row.version + 1 }, row.version))
    }

    // Sessions: all at once, and nobody's is found in another tenant.
    const begun = await Promise.all(everyone.map(({ executor }) => startRedirect(executor, flow)))
    const callbacks = await Promise.all(begun.map(({ authorizationUrl }) => server.visit(authorizationUrl)))
    for (const [index, { executor, key }] of everyone.entries()) {
      const others = callbacks.filter((_, other) => identities[other]?.tenant !== key.tenant)
      for (const callbackUrl of others) {
        const error = await rejectionOf(executor.oauth.complete({ callbackUrl }))
        expect(error).toMatchObject({ _tag: "OAuthSessionNotFoundError" })
      }
      await executor.oauth.complete({ callbackUrl: callbacks[index] ?? "" })
    }

    // Credentials: each uses the grant that was made for their own client.
    const grants = await Promise.all(everyone.map(({ executor }) => grantOf(executor)))
    expect(new Set(grants).size).toBe(everyone.length)
    for (const [index, grant] of grants.entries()) {
      const { tenant, subject } = identities[index] ?? { tenant: "", subject: "" }
      expect(server.grants.find(({ id }) => id === grant)?.clientId).toBe(JSON.stringify([tenant, subject]))
    }

    // Flights and leases: one refresh each, none joined to another's.
    const before = server.requests("token").length
    for (const { key } of everyone) await edit(key, { expiresAt: Date.now() - 1 })
    const calls = everyone.flatMap(({ executor }) => Array.from({ length: 10 }, () => grantOf(executor)))
    expect(await Promise.all(calls)).toEqual(grants.flatMap((grant) => Array.from({ length: 10 }, () => grant)))
    expect(server.requests("token")).toHaveLength(before + everyone.length)
    expect(server.reuses).toBe(0)

    // Cool-downs: an outage that one meets is not another's.
    for (const { key } of everyone) await edit(key, { expiresAt: Date.now() - 1 })
    server.next("token", { fault: "html", status: 503 }, { fault: "html", status: 503 })
    const [first, ...rest] = everyone
    if (first === undefined) throw new Error("unreachable")
    expect(failureOf(await call(first.executor)).code).toBe("oauth_refresh_failed")
    expect(await Promise.all(rest.map(({ executor }) => grantOf(executor)))).toEqual(grants.slice(1))
    expect(failureOf(await call(first.executor)).code).toBe("oauth_refresh_failed")

    // Ways on: each has a flow of their own.
    server.endGrants()
    for (const { key } of rest) await edit(key, { expiresAt: Date.now() - 1 })
    const failures = await Promise.all(rest.map(async ({ executor }) => failureOf(await call(executor))))
    const offers = failures.map(({ details }) => String((details as Record<string, unknown>)["authorizeUrl"]))
    const states = new Set(offers.map((offer) => new URL(offer).searchParams.get("state")))
    expect(states.size).toBe(rest.length)
    const [offerOfBob = "", offerOfGlobex = ""] = offers
    const stolen = await server.visit(offerOfGlobex)
    expect(
      await rejectionOf(rest[0]?.executor.oauth.complete({ callbackUrl: stolen }) ?? Promise.resolve()),
    ).toMatchObject({
      _tag: "OAuthSessionNotFoundError",
    })
    await rest[0]?.executor.oauth.complete({ callbackUrl: await server.visit(offerOfBob) })
    expect(await call(rest[0]?.executor ?? first.executor)).toMatchObject({ ok: true })
    expect(await Promise.all(rest.slice(1).map(async ({ executor }) => failureOf(await call(executor)).code))).toEqual(
      rest.slice(1).map(() => "oauth_reauth_required"),
    )
  })

  it("remove what is their own: clients, connections and revocations", async () => {
    const { stage, everyone } = await setEveryone()
    for (const { executor } of everyone) await connect({ executor, server: stage.server }, flow)
    const [first, ...rest] = everyone
    if (first === undefined) throw new Error("unreachable")
    await first.executor.connections.remove(mine)
    const revocation = await stage.server.received("revocation", 1)
    await first.executor.oauth.removeClient("user", "app")
    expect(revocation.headers.authorization).toBe(
      `Basic ${Buffer.from(encodedPair('["acme","alice"]', "secret of acme alice")).toString("base64")}`,
    )
    expect(await first.executor.oauth.listClients()).toEqual([])
    for (const { executor } of rest) {
      expect(await executor.oauth.listClients()).toHaveLength(1)
      expect(await call(executor)).toMatchObject({ ok: true })
    }
    expect(stage.server.requests("revocation")).toHaveLength(1)
  })
})

describe("T15 an assertion of the client", () => {
  it("is for the issuer alone, also where the metadata names an endpoint of another server", async () => {
    await using victim = await misbehavingAuthorizationServer()
    const { executor, server } = await setOAuthStage({
      server: { metadata: { token_endpoint: victim.tokenUrl } },
      config: everyPort,
    })
    const { privateKey } = await promisify(generateKeyPair)("ec", { namedCurve: "P-256" })
    await executor.oauth.createClient(
      appOf(server, {
        grant: "client_credentials",
        privateKey: privateKey.export({ format: "pem", type: "pkcs8" }) as string,
      }),
    )
    await executor.oauth.start(flowOfMine)
    const assertion = victim.requests("token")[0]?.parameters.get("client_assertion") ?? ""
    const { aud } = JSON.parse(Buffer.from(assertion.split(".")[1] ?? "", "base64url").toString()) as { aud: unknown }
    // The victim's own audience is its issuer: what it is sent here is worth nothing there.
    expect(aud).toBe(server.issuer)
  })
})

describe("T16 a hostile registration", () => {
  it("has its token sent nowhere but to the server itself when the client is removed", async () => {
    await using sink = await fakeUpstream(() => ({}))
    const { executor, server } = await setOAuthStage({ config: everyPort })
    server.next("registration", {
      fault: "change",
      json: {
        registration_client_uri: `${sink.origin}/register/x`,
        client_name: "\u001b[2J<script>",
        logo_uri: sink.origin,
      },
    })
    await executor.oauth.registerDynamicClient({ owner: "org", slug: "dyn", issuer: server.issuer })
    await executor.oauth.removeClient("org", "dyn")
    await executor.close()
    expect(sink.requests).toEqual([])
    expect(server.requests("registration")).toHaveLength(1)
  })
})

describe("T19 a server that stops offering what it offered", () => {
  it("PKCE: is sent a challenge all the same, and refused when it names only the weak kind", async () => {
    vi.useFakeTimers({ toFake: ["Date"] })
    const stage = await setOAuthStage({ server: { metadata: { pushed_authorization_request_endpoint: undefined } } })
    const { executor, server } = stage
    await executor.oauth.createClient(appOf(server))
    await connect(stage)
    server.always("metadata", { fault: "change", json: { code_challenge_methods_supported: undefined } })
    vi.setSystemTime(Date.now() + 11 * 60_000)
    const { authorizationUrl } = await startRedirect(executor)
    expect(new URL(authorizationUrl).searchParams.get("code_challenge_method")).toBe("S256")
    server.always("metadata", { fault: "change", json: { code_challenge_methods_supported: ["plain"] } })
    vi.setSystemTime(Date.now() + 11 * 60_000)
    expect(await rejectionOf(executor.oauth.start(flowOfMine))).toMatchObject({ _tag: "OAuthStartError" })
  })

  it("its name in answers: is held to what it said when the flow began", async () => {
    vi.useFakeTimers({ toFake: ["Date"] })
    const { executor, server } = await setOAuthStage()
    await executor.oauth.createClient(appOf(server))
    const { authorizationUrl } = await startRedirect(executor)
    server.always("metadata", {
      fault: "change",
      json: { authorization_response_iss_parameter_supported: undefined },
    })
    server.always("authorize", { fault: "callback", parameters: { iss: null } })
    const callbackUrl = await server.visit(authorizationUrl)
    vi.setSystemTime(Date.now() + 9 * 60_000)
    expect(await rejectionOf(executor.oauth.complete({ callbackUrl }))).toMatchObject({ reason: "iss_missing" })
    expect(server.requests("token")).toEqual([])
  })

  it("its name in answers: is held to what it said when the account was connected first", async () => {
    vi.useFakeTimers({ toFake: ["Date"] })
    const stage = await setOAuthStage()
    const { executor, server } = stage
    await executor.oauth.createClient(appOf(server))
    await connect(stage)
    server.always("metadata", {
      fault: "change",
      json: { authorization_response_iss_parameter_supported: undefined },
    })
    vi.setSystemTime(Date.now() + 11 * 60_000)
    server.next("authorize", { fault: "callback", parameters: { iss: null } })
    const { authorizationUrl } = await startRedirect(executor)
    const callbackUrl = await server.visit(authorizationUrl)
    expect(await rejectionOf(executor.oauth.complete({ callbackUrl }))).toMatchObject({ reason: "iss_missing" })
    expect(server.requests("token")).toHaveLength(1)
    // With its name nothing is amiss; and it goes on being held to it.
    await connect(stage)
    server.next("authorize", { fault: "callback", parameters: { iss: null } })
    expect(await rejectionOf(connect(stage))).toMatchObject({ reason: "iss_missing" })
  })

  it("DPoP: gets no refresh through with a bearer token, and the bound connection never sends one", async () => {
    const stage = await setOAuthStage({
      template: { dpop: true },
      server: { metadata: { dpop_signing_alg_values_supported: ["ES256"] } },
    })
    const { executor, server } = stage
    await executor.oauth.createClient(appOf(server))
    server.next("token", { fault: "change", json: { token_type: "DPoP" } })
    await connect(stage)
    // The server goes on with plain tokens, and says nothing of keys any more.
    server.always("metadata", { fault: "change", json: { dpop_signing_alg_values_supported: undefined } })
    server.always("resource", { fault: "error", error: "invalid_token", status: 401, isChallenged: true })
    const result = await call(executor)
    expect(result.ok).toBe(false)
    expect(server.requests("token").length).toBeGreaterThan(1)
    for (const { headers } of server.requests("token").slice(1)) expect(headers).toHaveProperty("dpop")
    for (const { headers } of server.requests("resource")) {
      expect(headers.authorization).toMatch(/^DPoP /)
      expect(headers).toHaveProperty("dpop")
    }
    // Nor does a new authorization get through without.
    const { authorizationUrl } = await startRedirect(executor)
    const callbackUrl = await server.visit(authorizationUrl)
    expect(await rejectionOf(executor.oauth.complete({ callbackUrl }))).toMatchObject({
      reason: "token_request_failed",
    })
  })
})

describe("T20 a header of 16 KB", () => {
  it.each([
    ["one long word", "Bearer " + "a".repeat(15_900)],
    ["quotes that do not close", `Bearer error="insufficient_scope", scope="${'\\"'.repeat(7_900)}`],
    ["commas", `Bearer ${",".repeat(15_900)}`],
    ["many challenges", 'Bearer error="insufficient_scope", '.repeat(440)],
    ["an endless scope", `Bearer error="insufficient_scope", scope="${"a ".repeat(7_900)}"`],
  ])("from a resource is answered with a result (%s)", async (_, challenge) => {
    const account = await connectAccount()
    for (const status of [401, 403]) {
      account.server.next("resource", { fault: "answer", status, headers: { "www-authenticate": challenge } })
      const result = await account.call()
      expect(typeof result.ok).toBe("boolean")
      // What a model reads stays short.
      expect(JSON.stringify(result).length).toBeLessThan(8_000)
    }
    expect(await account.call()).toMatchObject({ ok: true })
  })
})

/** A memory store that notes all it is handed. */
const noted = (handed: Array<unknown>): Store => {
  const part = <Part extends object>(inner: Part): Part =>
    Object.fromEntries(
      Object.entries(inner).map(([name, run]: [string, (...input: Array<unknown>) => unknown]) => [
        name,
        (...input: Array<unknown>) => {
          handed.push(input)
          return run(...input)
        },
      ]),
    ) as Part
  const inner = memoryStore()
  return {
    integrations: part(inner.integrations),
    accounts: part(inner.accounts),
    connections: part(inner.connections),
    catalogs: part(inner.catalogs),
    oauth: {
      clients: part(inner.oauth.clients),
      sessions: part(inner.oauth.sessions),
      revocations: part(inner.oauth.revocations),
    },
    access: part(inner.access),
    policies: part(inner.policies),
    approvals: part(inner.approvals),
    audit: part(inner.audit),
    lease: part(inner.lease),
  }
}

const encodedPair = (id: string, secret: string): string =>
  [id, secret].map((text) => new URLSearchParams({ x: text }).toString().slice(2)).join(":")
