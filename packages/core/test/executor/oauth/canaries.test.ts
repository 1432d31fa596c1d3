/**
 * Canaries nowhere: access, refresh and id tokens, codes, verifiers, states, client secrets, device codes, private keys, registration
 * tokens and assertions, through every flow and every failure, on both surfaces. Then everything that came out is searched.
 */
import { canary, CanaryScanner } from "@keyward/core/testing"
import { afterEach, describe, expect, it, vi } from "vitest"
import { collectPrinted } from "../printed.ts"
import {
  begin,
  type CanaryRun,
  canaryRun,
  clientOf,
  connect,
  failing,
  faultsOf,
  flowOf,
  privateKeyOf,
  redirectUri,
  type Surface,
} from "./canaryRun.ts"

const printed = collectPrinted()
afterEach(() => {
  vi.useRealTimers()
})

/** Waiting for the limit of a request once is enough for what goes the same way. */
const isSlow = (fault: string): boolean => fault === "no answer" || fault === "headers without a body"

const call = ({ api, note }: CanaryRun, name: string) =>
  note(`a call as ${name}`, () => api.execute(`tools.api.user.${name}.call`))

/** Searches everything that came out. */
const expectNowhere = async (run: CanaryRun): Promise<void> => {
  const { server, secrets, states, seen, api, note } = run
  await note("the listing", () => api.connections.list())
  await note("the tools", () => api.tools.list())
  await note("the clients", () => api.oauth.listClients())
  await note("the items", () => api.providers.items("vault"))
  for (const [id, value] of run.items) {
    if (id.endsWith(":dpop")) secrets.add((JSON.parse(value) as { readonly d: string }).d)
  }
  for (const endpoint of ["token", "revocation", "pushed_authorization_request", "device_authorization"] as const) {
    for (const { parameters } of server.requests(endpoint)) {
      for (const name of ["code_verifier", "client_assertion", "assertion"]) {
        const value = parameters.get(name)
        if (value !== null) secrets.add(value)
      }
    }
  }
  await run.close()
  // States are given to the host by `start`, and are part of the way on; they are nowhere else.
  const scanner = new CanaryScanner([...server.secrets, ...secrets, ...states])
  // It knows what went over the wire.
  const sent = server.requests("token").map(({ headers, parameters }) => [headers, [...parameters]])
  expect(scanner.find(sent)).not.toEqual([])
  const stateless = new CanaryScanner(states.size === 0 ? ["no state at all"] : states)
  for (const [where, value] of seen) scanner.expectNone(value, where)
  for (const [where, value] of [
    ["the events", run.events],
    ["the store's records", run.records],
    ["what plugins were handed", run.handed],
    ["the ids of items", [run.providerCalls, [...run.items.keys()]]],
    ["what was printed", printed()],
  ] as const) {
    scanner.expectNone(value, where)
    stateless.expectNone(value, where)
  }
}

/** How many of what came out were errors; a run that never failed would prove nothing. */
const errorsIn = ({ seen }: CanaryRun): number => seen.filter(([where]) => /^the error of .*[^d]$/.test(where)).length

describe.each<Surface>(["promise", "effect"])("canaries on the %s surface", (surface) => {
  it("are nowhere after connecting, refreshing, stepping up and removing", async () => {
    const run = await canaryRun(surface)
    const { api, server, note, secrets } = run
    const idToken = canary("id token")
    secrets.add(idToken)
    server.always("token", { fault: "change", json: { id_token: idToken } })
    await note("createClient", () => api.oauth.createClient(clientOf(run)))
    await connect(run, flowOf("main"))
    await call(run, "main")
    await run.expire("main")
    expect(await call(run, "main")).toMatchObject({ ok: true })
    await note("grant", () => api.oauth.grant({ owner: "user", integration: "api", name: "main" }))
    await note("refresh", () => api.connections.refresh({ owner: "user", integration: "api", name: "main" }))
    server.requireScope("read write")
    expect(await call(run, "main")).toMatchObject({ ok: false, error: { code: "insufficient_scope" } })
    server.requireScope("")
    // A resource that says what it was told.
    for (const [status, error] of [
      [200, "none"],
      [401, "invalid_token"],
      [403, "insufficient_scope"],
      [500, "none"],
    ] as const) {
      const token = server.secrets.findLast((one) => one.startsWith("canary-access")) ?? ""
      server.next("resource", {
        fault: "answer",
        status,
        headers: { "www-authenticate": `Bearer error="${error}", scope="${token}", error_description="${token}"` },
        body: `You sent ${token}`,
      })
      await call(run, "main")
    }
    server.endGrants()
    await run.expire("main")
    expect(await call(run, "main")).toMatchObject({ ok: false, error: { code: "oauth_reauth_required" } })
    await note("remove", () => api.connections.remove({ owner: "user", integration: "api", name: "main" }))
    await server.received("revocation", 1)
    await note("removeClient", () => api.oauth.removeClient("org", "app"))
    await expectNowhere(run)
  }, 30_000)

  it("are nowhere when a code cannot be redeemed, or the person says no", async () => {
    const run = await canaryRun(surface)
    const { api, server, note } = run
    await api.oauth.createClient(clientOf(run))
    for (const [name, fault] of Object.entries(faultsOf(run))) {
      const callbackUrl = await server.visit(await begin(run, flowOf("main")))
      await failing(run, "token", fault(), () =>
        note(`completing under ${name}`, () => api.oauth.complete({ callbackUrl })),
      )
      await note(`completing again after ${name}`, () => api.oauth.complete({ callbackUrl }))
    }
    const denied = await server.visit(await begin(run, flowOf("main")), { isDenied: true })
    await note("denial", () => api.oauth.complete({ callbackUrl: denied }))
    // Answers that somebody tampered with, with secrets wherever text can stand.
    const token = server.secrets.at(-1) ?? ""
    for (const change of [
      (query: URLSearchParams) => query.set("iss", token),
      (query: URLSearchParams) => query.set("error", token),
      (query: URLSearchParams) => query.set("error_description", query.get("code") ?? ""),
      (query: URLSearchParams) => query.append("code", token),
      (query: URLSearchParams) => query.append("state", token),
      (query: URLSearchParams) => query.set("state", token),
      (query: URLSearchParams) => query.delete("code"),
    ]) {
      const callback = new URL(await server.visit(await begin(run, flowOf("main"))))
      change(callback.searchParams)
      await note("a changed callback", () => api.oauth.complete({ callbackUrl: callback.href }))
      await note("a callback elsewhere", () =>
        api.oauth.complete({ callbackUrl: `https://evil.example/${callback.search}` }),
      )
      await note("a poll of it", () => api.oauth.poll(callback.searchParams.get("state") ?? ""))
    }
    await note("no URL", () => api.oauth.complete({ callbackUrl: `${redirectUri.slice(4)} ${token}` }))
    for (const [name, fault] of Object.entries(faultsOf(run))) {
      await failing(run, "pushed_authorization_request", fault(), () =>
        note(`pushing under ${name}`, async () => void (await api.oauth.start(flowOf("main")))),
      )
    }
    expect(errorsIn(run)).toBeGreaterThan(60)
    await expectNowhere(run)
  }, 60_000)

  it("are nowhere when a refresh fails, however it does", async () => {
    const outcomes = new Set<unknown>()
    // Each run waits for its replays; several wait together.
    const groups = 6
    const refreshing = async (group: number): Promise<CanaryRun> => {
      const run = await canaryRun(surface)
      const { api, server, note } = run
      await api.oauth.createClient(clientOf(run))
      const faults = Object.values(faultsOf(run)).filter((_, index) => index % groups === group)
      for (const [index, fault] of faults.entries()) {
        const name = `fault_${index}`
        const ref = { owner: "user", integration: "api", name } as const
        await connect(run, flowOf(name))
        await run.expire(name)
        await failing(run, "token", fault(), async () => {
          const result = await call(run, name)
          outcomes.add(result?.ok === false ? result.error.code : "ok")
        })
        await note("the connection", () => api.connections.get(ref))
        // What is owed for it is told with everything as well.
        const told = server.requests("revocation").length
        server.always("revocation", fault())
        await note("remove", () => api.connections.remove(ref))
        await server.received("revocation", told + 1)
      }
      return run
    }
    const runs = await Promise.all(Array.from({ length: groups }, (_, group) => refreshing(group)))
    // The last is of an answer with 200 whose access token is none.
    const expected = ["oauth_refresh_failed", "oauth_reauth_required", "ok", "connection_rejected"]
    expect(outcomes).toEqual(new Set(expected))
    for (const run of runs) await expectNowhere(run)
  }, 90_000)

  it("are nowhere in a device flow", async () => {
    vi.useFakeTimers({ toFake: ["Date"] })
    const run = await canaryRun(surface, { device: { pending: 1, slowDown: 1, outcome: "approve" } })
    const { api, server, note } = run
    await api.oauth.createClient(clientOf(run, { grant: "device_code" }))
    const start = async (name: string): Promise<string> => {
      const started = await note(`starting ${name}`, async () => {
        const answer = await api.oauth.start(flowOf(name))
        if (answer.status !== "device") throw new Error(answer.status)
        run.states.add(answer.state)
        const { state, ...shown } = answer
        return { shown, hidden: () => state }
      })
      return started?.hidden() ?? ""
    }
    const poll = async (name: string, state: string): Promise<void> => {
      vi.setSystemTime(Date.now() + 30_000)
      await note(`polling for ${name}`, () => api.oauth.poll(state))
    }
    const approved = await start("approved")
    for (let polls = 0; polls < 3; polls++) await poll("approved", approved)
    expect(await call(run, "approved")).toMatchObject({ ok: true })
    for (const outcome of ["deny", "expire"] as const) {
      server.behave({ device: { outcome } })
      await poll(outcome, await start(outcome))
    }
    for (const [name, fault] of Object.entries(faultsOf(run))) {
      server.behave({ device: { outcome: "approve" } })
      const state = await start("faulty")
      await failing(run, "token", fault(), () => poll(name, state))
      await note("cancel", () => api.oauth.cancel(state))
      await failing(run, "device_authorization", fault(), () => start(name))
    }
    expect(errorsIn(run)).toBeGreaterThan(20)
    await expectNowhere(run)
  }, 60_000)

  it("are nowhere when tokens are bound to keys", async () => {
    const run = await canaryRun(surface)
    const { api, server, note } = run
    await api.oauth.createClient(clientOf(run, { privateKey: privateKeyOf(run) }))
    server.always("token", { fault: "change", json: { token_type: "DPoP" } })
    for (const name of ["bound", "keyless", "broken"]) await connect(run, flowOf(name, { template: "bound" }))
    for (const [id, value] of run.items) {
      if (id.endsWith(":dpop")) run.secrets.add((JSON.parse(value) as { readonly d: string }).d)
    }
    const nonce = { "dpop-nonce": "a-nonce", "www-authenticate": `DPoP error="use_dpop_nonce"` }
    server.next(
      "resource",
      { fault: "answer", status: 401, headers: nonce, body: "" },
      { fault: "answer", body: "good" },
    )
    expect(await call(run, "bound")).toMatchObject({ ok: true, data: "good" })
    server.next("token", { fault: "error", error: "use_dpop_nonce", headers: nonce })
    await run.expire("bound")
    await call(run, "bound")
    server.always("token", undefined)
    await run.expire("bound")
    expect(await call(run, "bound")).toMatchObject({ ok: false })
    const vault = run.items as Map<string, string>
    for (const [id, value] of vault) {
      if (!id.endsWith(":dpop")) continue
      if (id.includes("keyless")) vault.delete(id)
      else if (id.includes("broken")) vault.set(id, value.slice(0, -9))
    }
    await call(run, "keyless")
    await call(run, "broken")
    await run.expire("broken")
    await call(run, "broken")
    for (const [id] of vault) if (id.includes("broken")) vault.delete(id)
    await note("a downgraded flow", async () => {
      const callbackUrl = await server.visit(await begin(run, flowOf("other", { template: "bound" })))
      return api.oauth.complete({ callbackUrl })
    })
    await expectNowhere(run)
  }, 30_000)

  it("are nowhere when clients are made, registered and removed", async () => {
    const run = await canaryRun(surface)
    const { api, server, note, secrets } = run
    const secret = canary("refused secret")
    secrets.add(secret)
    for (const bad of [
      { slug: "not a slug" },
      { grant: "client_credentials", tokenEndpointAuthMethod: "none" },
      { issuer: `https://u:${secret}@as.example` },
      { authorizationParams: { x: [secret] } as never },
      { privateKey: "" },
      { quirks: { tokenParams: secret } as never },
    ] as const) {
      await note("a client that cannot be", () =>
        api.oauth.createClient(clientOf(run, { ...bad, clientSecret: secret })),
      )
    }
    const key = privateKeyOf(run)
    for (const privateKey of [
      key.slice(0, -60),
      key.replace("PRIVATE", "PUBLIC"),
      JSON.stringify({ kty: "EC", d: secret }),
    ]) {
      await api.oauth.createClient(clientOf(run, { slug: "broken", grant: "client_credentials", privateKey }))
      await note("a key that is none", () => api.oauth.start(flowOf("broken", { client: "broken" })))
    }
    const initialAccessToken = canary("initial access token")
    secrets.add(initialAccessToken)
    const register = (slug: string) =>
      api.oauth.registerDynamicClient({ owner: "org", slug, issuer: server.issuer, initialAccessToken })
    await note("registering", () => register("dyn"))
    await connect(run, flowOf("dyn", { client: "dyn" }))
    for (const [name, fault] of Object.entries(faultsOf(run))) {
      await failing(run, "registration", fault(), () => note(`registering under ${name}`, () => register("other")))
      await note("removal", () => api.oauth.removeClient("org", "other"))
    }
    const told = server.requests("registration").length
    server.always("registration", {
      fault: "error",
      error: "invalid_token",
      description: initialAccessToken,
      status: 400,
    })
    await note("removal", () => api.oauth.removeClient("org", "dyn"))
    await server.received("registration", told + 1)
    expect(errorsIn(run)).toBeGreaterThan(15)
    await expectNowhere(run)
  }, 60_000)

  it("are nowhere where nobody is asked: client credentials, token exchange, assertions", async () => {
    const run = await canaryRun(surface)
    const { api, note, secrets } = run
    const [subjectToken, actorToken, assertion] = ["subject token", "actor token", "assertion"].map(canary)
    for (const one of [subjectToken, actorToken, assertion]) if (one !== undefined) secrets.add(one)
    const exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
    const bearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    const type = "urn:ietf:params:oauth:token-type:access_token"
    await api.oauth.createClient(clientOf(run, { slug: "machine", grant: "client_credentials" }))
    await api.oauth.createClient(clientOf(run, { slug: "exchange", grant: exchange }))
    await api.oauth.createClient(clientOf(run, { slug: "bearer", grant: bearer, privateKey: privateKeyOf(run) }))
    const flows = [
      flowOf("machine", { client: "machine" }),
      flowOf("exchange", {
        client: "exchange",
        subjectToken,
        subjectTokenType: type,
        actorToken,
        actorTokenType: type,
      }),
      flowOf("bearer", { client: "bearer", assertion }),
      flowOf("signed", { client: "bearer", subject: "alice@example.com" }),
    ]
    for (const flow of flows) {
      expect(await note(`connecting ${flow.name}`, () => api.oauth.start(flow))).toMatchObject({ status: "connected" })
      await run.expire(flow.name)
      await call(run, flow.name)
      for (const [name, fault] of Object.entries(faultsOf(run))) {
        if (isSlow(name) && flow !== flows[0]) continue
        await failing(run, "token", fault(), () => note(`${flow.name} under ${name}`, () => api.oauth.start(flow)))
      }
    }
    expect(errorsIn(run)).toBeGreaterThan(60)
    await expectNowhere(run)
  }, 90_000)

  it("are nowhere when metadata is hostile", async () => {
    const run = await canaryRun(surface)
    const { api, note, server } = run
    await api.oauth.createClient(clientOf(run))
    await connect(run, flowOf("main"))
    for (const [name, fault] of Object.entries(faultsOf(run))) {
      // Of a path that is not known yet: what was found once is kept for ten minutes.
      await failing(run, "protected_resource_metadata", fault(), () =>
        note(`probing under ${name}`, () => api.oauth.probe({ url: server.resourceUrl })),
      )
      await failing(run, "resource", fault(), () =>
        note(`probing a resource under ${name}`, () => api.oauth.probe({ url: server.resourceUrl })),
      )
    }
    await expectNowhere(run)
  }, 60_000)
})
