/** Credentials are read when a request is about to leave, once, together, under a limit; and their failures tell apart. */
import {
  createExecutor,
  type CredentialProvider,
  credentialProvider,
  memoryStore,
  ProviderDeniedError,
  ProviderUnavailableError,
  type ToolResult,
} from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
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
  type StageOptions,
  toJson,
  toolOfMain,
} from "../acme.ts"

const keys = { ...main, template: "keys", values: { api: "api-value", app: "app-value" } }
const readsOf = (calls: ReadonlyArray<string>): ReadonlyArray<string> => calls.filter((call) => call.startsWith("get"))

/** A stage with one connection of two variables, whose provider was called for nothing since. */
const setReads = async (options: StageOptions) => {
  const vault = countingProvider()
  const stage = await setStage({ ...options, config: { providers: [vault.provider] } })
  await stage.executor.connections.create(keys)
  vault.calls.length = 0
  return { ...stage, vault }
}

describe("laziness", () => {
  it.each<[string, StageOptions["tools"] & object, number]>([
    ["a tool without I/O", { call: () => 1 }, 0],
    ["a tool that asks for fetch and sends nothing", { call: ({ fetch, send }) => typeof fetch + typeof send }, 0],
    ["a refused origin", { call: ({ fetch }) => fetch("https://evil.example/") }, 0],
    [
      "an anonymous request",
      { call: ({ send }) => send({ url: "/", anonymous: true }).then(({ status }) => status) },
      0,
    ],
    ["one request", { call: ({ fetch }) => fetch("/").then(toJson) }, 2],
    [
      "five requests one after the other, through both ways of sending",
      {
        call: async ({ fetch, send }) => {
          for (let index = 0; index < 3; index += 1) await fetch(`/${index}`).then(toJson)
          for (let index = 0; index < 2; index += 1) await send({ url: `/${index}` }).then((sent) => sent.json())
          return null
        },
      },
      2,
    ],
    [
      "twenty requests at the same time",
      {
        call: ({ fetch }) => Promise.all(Array.from({ length: 20 }, () => fetch("/").then(toJson))).then(() => null),
      },
      2,
    ],
  ])("reads for %s no more than each item once", async (_, tools, reads) => {
    const { executor, vault } = await setReads({ tools })
    await executor.execute(toolOfMain())
    expect(readsOf(vault.calls)).toHaveLength(reads)
    expect(new Set(vault.calls).size).toBe(reads)
  })

  it("reads anew for each call", async () => {
    const { executor, vault } = await setReads({})
    for (let call = 0; call < 3; call += 1) await executor.execute(toolOfMain())
    expect(readsOf(vault.calls)).toHaveLength(6)
  })

  it("reads nothing for lists, schemas, updates, invalid arguments and unknown tools", async () => {
    const plugin = acmePlugin(
      { call: ({ fetch }) => fetch("/").then(toJson) },
      {
        resolveTools: () => [
          { name: "call", inputSchema: { type: "object", required: ["id"] }, annotations: { readOnlyHint: true } },
        ],
      },
    )
    const { executor, vault } = await setReads({ plugin })
    await executor.tools.list()
    await executor.tools.schema(toolOfMain())
    await executor.connections.list()
    await executor.connections.update(main, { description: "d" })
    await executor.connections.disable(main)
    await executor.connections.enable(main)
    await executor.execute(toolOfMain(), {})
    await rejectionOf(executor.execute(toolOfMain("nope"), {}))
    expect(vault.calls).toEqual([])
  })

  it("reads the variables of a connection at the same time", async () => {
    const waiting: Array<() => void> = []
    const provider = credentialProvider({
      key: "vault",
      // Answers only when both have been asked for.
      get: (id) =>
        new Promise<string>((resolve) => {
          waiting.push(() => resolve(id))
          if (waiting.length === 2) for (const answer of waiting) answer()
        }),
    })
    const { executor, upstream } = await setStage({ config: { providers: [provider] } })
    const from = (id: string) => ({ from: { provider: "vault", id } })
    await executor.connections.create({
      ...main,
      template: "keys",
      inputs: { api: from("one-id"), app: from("two-id") },
    })
    expect(await executor.execute(toolOfMain())).toMatchObject({ ok: true })
    expect(upstream.requests.map(received)).toMatchObject([{ api: "one-id", app: "two-id" }])
  })

  it("goes on after a request of the same call was given up while its credential was read", async () => {
    let reads = 0
    const provider = credentialProvider({
      key: "vault",
      get: () => {
        reads += 1
        return reads === 1 ? new Promise<never>(() => {}) : "second-reading"
      },
    })
    const { executor, upstream } = await setStage({
      config: { providers: [provider] },
      tools: {
        call: async ({ fetch }) => {
          const controller = new AbortController()
          const first = rejectionOf(fetch("/", { signal: controller.signal }))
          controller.abort(new Error("changed my mind"))
          return { first: (await first).message, second: (await fetch("/")).status }
        },
      },
    })
    await executor.connections.create({ ...main, template: "bearer", from: { provider: "vault", id: "x" } })
    expect(await executor.execute(toolOfMain())).toMatchObject({
      data: { first: "changed my mind", second: 200 },
    })
    expect(upstream.requests.map(received)).toMatchObject([{ authorization: "Bearer second-reading" }])
  })
})

describe("failures of providers", () => {
  const secret = canary("provider")
  const scanner = new CanaryScanner([secret])
  const effectProvider = (get: CredentialProvider["get"]): CredentialProvider => ({
    key: "vault",
    writable: false,
    get,
  })

  const callWith = async (provider: CredentialProvider | undefined): Promise<ToolResult> => {
    const store = memoryStore()
    const stage = await setStage({
      config: { store, providers: [credentialProvider({ key: "vault", get: () => secret })] },
    })
    await stage.executor.connections.create({ ...main, template: "bearer", from: { provider: "vault", id: "x" } })
    const executor = await createExecutor({
      store,
      plugins: [acmePlugin({ call: ({ fetch }) => fetch("/").then(toJson) })],
      providers: provider === undefined ? [] : [provider],
      providerTimeoutMs: 30,
      egress: { allowHosts: [stage.upstream.host] },
    })
    const result = await executor.execute(toolOfMain())
    const rejected = await rejectionOf(executor.connections.fetch(main)("/"))
    expect(rejected).toMatchObject({ _tag: "ConnectionCredentialError", code: failureOf(result).code })
    scanner.expectNone([result, rejected], "the result and the rejection")
    await executor.close()
    return result
  }

  it.each<[string, CredentialProvider | undefined, string, boolean, object]>([
    [
      "one that hangs",
      credentialProvider({ key: "vault", get: () => new Promise<never>(() => {}) }),
      "credential_provider_timeout",
      true,
      { reason: "timeout" },
    ],
    [
      "one that is locked",
      credentialProvider({
        key: "vault",
        get: () => {
          throw new ProviderUnavailableError({
            provider: "vault",
            reason: "locked",
            nextStep: "Unlock it.",
            retryAfterMs: 1500,
          })
        },
      }),
      "credential_provider_unavailable",
      true,
      { reason: "locked", nextStep: "Unlock it.", retryAfterMs: 1500 },
    ],
    ["one that was removed", undefined, "credential_provider_not_registered", false, { reason: "not_registered" }],
    [
      "one that denies",
      credentialProvider({
        key: "vault",
        get: () =>
          Promise.reject(new ProviderDeniedError({ provider: "vault", reason: "forbidden", nextStep: "Ask." })),
      }),
      "credential_provider_denied",
      false,
      { reason: "forbidden", nextStep: "Ask." },
    ],
    [
      "one that has nothing there",
      credentialProvider({ key: "vault", get: () => undefined }),
      "connection_value_missing",
      false,
      { authRequired: true },
    ],
    [
      "one that says precisely what it does not have",
      credentialProvider({
        key: "vault",
        get: () =>
          Promise.reject(
            new ProviderDeniedError({ provider: "vault", reason: "item_not_found", nextStep: "Create it." }),
          ),
      }),
      "connection_value_missing",
      false,
      { authRequired: true, reason: "item_not_found", nextStep: "Create it." },
    ],
    [
      "one that throws the secret",
      credentialProvider({
        key: "vault",
        get: () => {
          throw new Error(`cannot decrypt ${secret}`)
        },
      }),
      "credential_provider_unavailable",
      true,
      { reason: "failed" },
    ],
    [
      "one that rejects with the secret",
      credentialProvider({ key: "vault", get: () => Promise.reject(new Error(secret, { cause: { secret } })) }),
      "credential_provider_unavailable",
      true,
      { reason: "failed" },
    ],
    [
      "an Effect one that throws the secret instead of returning an Effect",
      effectProvider(() => {
        throw new Error(secret)
      }),
      "credential_provider_unavailable",
      true,
      { reason: "failed" },
    ],
    [
      "an Effect one that fails with an error of its own",
      effectProvider(() => Effect.fail(new Error(secret) as never)),
      "credential_provider_unavailable",
      true,
      { reason: "failed" },
    ],
    [
      "an Effect one that dies",
      effectProvider(() => Effect.die(new Error(secret))),
      "credential_provider_unavailable",
      true,
      { reason: "failed" },
    ],
    [
      "a Promise one that was not wrapped",
      effectProvider((() => Promise.resolve(secret)) as never),
      "credential_provider_denied",
      false,
      { reason: "invalid_provider" },
    ],
    [
      "one that answers with no text",
      credentialProvider({ key: "vault", get: (() => ({ secret })) as never }),
      "credential_provider_denied",
      false,
      { reason: "invalid_value" },
    ],
  ])("tells %s apart, by a code and a next step", async (_, provider, code, retryable, details) => {
    const failure = failureOf(await callWith(provider))
    expect(failure).toMatchObject({
      code,
      retryable,
      details: { category: "authentication", connection: "tools.api.org.main", ...details },
    })
    expect(failure.message).toContain("tools.api.org.main")
    if (code !== "connection_value_missing") expect(failure.details).not.toHaveProperty("authRequired")
  })

  it.each(["at once", "after a while"])(
    "are not remembered for the rest of the call when they come %s",
    async (when) => {
      let reads = 0
      const provider = credentialProvider({
        key: "vault",
        get: () => {
          reads += 1
          if (reads > 1) return "second-reading"
          const failure = new ProviderUnavailableError({ provider: "vault", reason: "outage", nextStep: "Wait." })
          if (when === "at once") throw failure
          return Promise.reject(failure)
        },
      })
      const { executor, upstream } = await setStage({
        config: { providers: [provider] },
        tools: { call: async ({ fetch }) => [await rejectionOf(fetch("/")), (await fetch("/")).status].slice(1) },
      })
      await executor.connections.create({ ...main, template: "bearer", from: { provider: "vault", id: "x" } })
      await executor.execute(toolOfMain())
      expect(upstream.requests.map(received)).toMatchObject([{ authorization: "Bearer second-reading" }])
      expect(reads).toBe(2)
    },
  )

  it("stops a provider's work when the limit passes", async () => {
    let isStopped = false
    const provider = credentialProvider({
      key: "vault",
      timeoutMs: 20,
      get: (_, { signal }) =>
        new Promise<never>(() => {
          signal.addEventListener("abort", () => (isStopped = true))
        }),
    })
    expect(failureOf(await callWith(provider))).toMatchObject({ code: "credential_provider_timeout" })
    expect(isStopped).toBe(true)
  })

  it("says which value cannot be placed, not what it is", async () => {
    const provider = credentialProvider({ key: "vault", get: () => `${secret}\nsecond line` })
    const failure = failureOf(await callWith(provider))
    expect(failure).toMatchObject({
      code: "connection_not_placeable",
      details: { reason: "header authorization", authRequired: true },
    })
  })
})

describe("a credential that the service turns down", () => {
  const setRejecting = async (options: {
    readonly values: ReadonlyArray<string>
    readonly accepted: string
    readonly canInvalidate?: boolean
    readonly tools?: StageOptions["tools"]
  }) => {
    const calls: Array<string> = []
    let cached = 0
    const provider = credentialProvider({
      key: "vault",
      get: (id) => {
        calls.push(`get ${id}`)
        return options.values[Math.min(cached, options.values.length - 1)]
      },
      invalidate:
        options.canInvalidate === false
          ? undefined
          : (id) => {
              calls.push(`invalidate ${id}`)
              cached += 1
            },
    })
    const stage = await setStage({
      upstream: (request) =>
        request.headers.authorization === `Bearer ${options.accepted}`
          ? { json: { in: true } }
          : { status: 401, json: {} },
      config: { providers: [provider] },
      ...(options.tools === undefined ? {} : { tools: options.tools }),
    })
    await stage.executor.connections.create({ ...main, template: "bearer", from: { provider: "vault", id: "x" } })
    return { ...stage, calls }
  }
  const sent = ({ upstream }: Awaited<ReturnType<typeof setRejecting>>) =>
    upstream.requests.map(({ headers, text }) => `${String(headers.authorization)} ${text}`.trim())

  it("is read once more past the provider's cache and sent once more, when it changed", async () => {
    const stage = await setRejecting({ values: ["old-value", "new-value"], accepted: "new-value" })
    expect(await stage.executor.execute(toolOfMain())).toMatchObject({ ok: true, data: { in: true } })
    expect(sent(stage)).toEqual(["Bearer old-value", "Bearer new-value"])
    expect(stage.calls).toEqual(["get x", "invalidate x", "get x"])
  })

  it("is used for the rest of the call", async () => {
    const stage = await setRejecting({
      values: ["old-value", "new-value"],
      accepted: "new-value",
      tools: {
        call: async ({ fetch }) => [
          (await fetch("/1", { method: "POST", body: "b" })).status,
          (await fetch("/2")).status,
        ],
      },
    })
    expect(await stage.executor.execute(toolOfMain())).toEqual({ ok: true, data: [200, 200] })
    expect(sent(stage)).toEqual(["Bearer old-value b", "Bearer new-value b", "Bearer new-value"])
  })

  it.each([
    ["it did not change", { values: ["same-value"], accepted: "other" }, 1],
    ["the provider keeps nothing that could be stale", { values: ["v-1"], accepted: "v-2", canInvalidate: false }, 1],
    ["the new one is turned down as well", { values: ["old-value", "new-value"], accepted: "other" }, 2],
  ])("answers connection_rejected when %s", async (_, options, requests) => {
    const stage = await setRejecting(options)
    expect(failureOf(await stage.executor.execute(toolOfMain()))).toMatchObject({
      code: "connection_rejected",
      status: 401,
      retryable: false,
      details: { category: "authentication", reason: "http_401", authRequired: true, connection: "tools.api.org.main" },
    })
    expect(stage.upstream.requests).toHaveLength(requests)
  })

  it("is not helped by a provider whose invalidate hangs or throws, nor does the call wait for it", async () => {
    for (const invalidate of [
      () => new Promise<never>(() => {}),
      () => {
        throw new Error("no")
      },
    ]) {
      const provider = credentialProvider({ key: "vault", get: () => "old-value", invalidate })
      const { executor } = await setStage({
        upstream: () => ({ status: 401, json: {} }),
        config: { providers: [provider], providerTimeoutMs: 30 },
      })
      await executor.connections.create({ ...main, template: "bearer", from: { provider: "vault", id: "x" } })
      expect(failureOf(await executor.execute(toolOfMain()))).toMatchObject({ code: "connection_rejected" })
    }
  })

  it("serves connections.fetch in the same way", async () => {
    const stage = await setRejecting({ values: ["old-value", "new-value"], accepted: "new-value" })
    const response = await stage.executor.connections.fetch(main)("/", { method: "POST", body: "again" })
    expect(response.status).toBe(200)
    expect(sent(stage)).toEqual(["Bearer old-value again", "Bearer new-value again"])
  })

  it("does not send a stream twice", async () => {
    const stage = await setRejecting({ values: ["old-value", "new-value"], accepted: "new-value" })
    const response = await stage.executor.connections.fetch(main)("/", {
      method: "POST",
      body: new Blob(["streamed"]).stream(),
      duplex: "half",
    })
    expect(response.status).toBe(401)
    expect(sent(stage)).toEqual(["Bearer old-value streamed"])
  })
})
