/** A verified caller in a token: what comes back of it, and every way in which a token is not believed. */
import { createHmac, generateKeyPairSync, randomBytes } from "node:crypto"
import {
  AgentNotFoundError,
  createExecutor,
  type IdentityKey,
  InvalidSealedIdentityError,
  InvalidSealOptionsError,
  memoryStore,
  type OpenedIdentity,
  openIdentity,
  type ReplayStore,
  type SealableIdentity,
  sealIdentity,
} from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { SignJWT } from "jose"
import { describe, expect, it } from "vitest"
import { OpenedIdentity as OpenedIdentityClass } from "../../src/identity/SealedIdentity.ts"
import { openSealed } from "../../src/identity/sealIdentity.ts"
import { rejectionOf } from "../executor/acme.ts"

const audience = "workers"
const secretOf = (id = "one") => ({ id, secret: Redacted.make(randomBytes(32).toString("base64")) })
const alice = { tenant: "acme", subject: "alice" }

const reasonOf = async (opened: Promise<unknown>): Promise<string> => {
  const error = await rejectionOf(opened)
  expect(error).toBeInstanceOf(InvalidSealedIdentityError)
  expect(error).toMatchObject({ httpStatus: 401 })
  return (error as InvalidSealedIdentityError).reason
}

/** What anybody could write down who has seen one. */
const plain = (opened: OpenedIdentity): Omit<OpenedIdentity, never> => Object.assign({}, opened)

const partsOf = (token: string) => {
  const [header = "", payload = "", signature = ""] = token.split(".")
  const read = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>
  return { header: read(header), payload: read(payload), signature }
}

const written = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url")

describe("a sealed identity", () => {
  const pem = (kind: "ed25519" | "P-256") => {
    const pair = kind === "ed25519" ? generateKeyPairSync("ed25519") : generateKeyPairSync("ec", { namedCurve: kind })
    return {
      privateKey: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      publicKey: pair.publicKey.export({ type: "spki", format: "pem" }).toString(),
      privateJwk: JSON.stringify(pair.privateKey.export({ format: "jwk" })),
      publicJwk: JSON.stringify(pair.publicKey.export({ format: "jwk" })),
    }
  }
  const [edwards, curve] = [pem("ed25519"), pem("P-256")]
  const bytes = new Uint8Array(randomBytes(48))

  it.each<[string, IdentityKey, IdentityKey, string]>([
    ["a secret as bytes", { id: "k", secret: bytes }, { id: "k", secret: Redacted.make(bytes) }, "HS256"],
    [
      "a secret as base64",
      { id: "k", secret: Buffer.from(bytes).toString("base64url") },
      { id: "k", secret: Redacted.make(Buffer.from(bytes).toString("base64")) },
      "HS256",
    ],
    [
      "Ed25519 as PEM",
      { id: "k", privateKey: Redacted.make(edwards.privateKey) },
      { id: "k", publicKey: edwards.publicKey },
      "EdDSA",
    ],
    ["Ed25519 as JWK", { id: "k", privateKey: edwards.privateJwk }, { id: "k", publicKey: edwards.publicJwk }, "EdDSA"],
    ["P-256 as PEM", { id: "k", privateKey: curve.privateKey }, { id: "k", publicKey: curve.publicKey }, "ES256"],
    [
      "P-256 as JWK",
      { id: "k", privateKey: curve.privateJwk },
      { id: "k", privateKey: Redacted.make(curve.privateJwk) },
      "ES256",
    ],
  ])("comes out as it went in, by %s", async (_, sealing, opening, alg) => {
    const token = await sealIdentity(alice, { keys: [sealing], audience })
    expect(partsOf(token).header).toEqual({ alg, kid: "k", typ: "keyward-identity+jwt" })
    const before = Date.now()
    const opened = await openIdentity(token, { keys: [opening], audience })
    expect(opened).toMatchObject(alice)
    expect(opened.expiresAt).toBeGreaterThan(before + 55_000)
    expect(opened.expiresAt).toBeLessThanOrEqual(Date.now() + 60_000)
  })

  it("comes out as it went in, whoever it is", async () => {
    const key = secretOf()
    const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 64 }).filter((text) => text.isWellFormed())
    await fc.assert(
      fc.asyncProperty(
        name,
        fc.option(name, { nil: null }),
        fc.option(name, { nil: undefined }),
        async (tenant, subject, agent) => {
          const token = await sealIdentity({ tenant, subject, agent }, { keys: [key], audience })
          const { expiresAt: _, ...identity } = plain(await openIdentity(token, { keys: [key], audience }))
          expect(identity).toEqual({ tenant, subject, ...(agent === undefined ? {} : { agent }) })
        },
      ),
      { numRuns: 50 },
    )
  })

  it("is another one each time, and says nothing but who calls", async () => {
    const options = { keys: [secretOf()], audience }
    const tokens = await Promise.all([1, 2, 3].map(() => sealIdentity({ ...alice, agent: "bot" }, options)))
    expect(new Set(tokens).size).toBe(3)
    expect(Object.keys(partsOf(tokens[0] ?? "").payload).toSorted()).toEqual(
      ["agent", "aud", "exp", "iat", "iss", "jti", "sub", "tenant"].toSorted(),
    )
  })

  it("outlives the rotation of keys, old ones first and last", async () => {
    const [old, next] = [secretOf("old"), secretOf("new")]
    const before = await sealIdentity(alice, { keys: [old, next], audience })
    expect(partsOf(before).header).toMatchObject({ kid: "old" })
    const after = await sealIdentity(alice, { keys: [next, old], audience })
    expect(partsOf(after).header).toMatchObject({ kid: "new" })
    expect((await openIdentity(before, { keys: [next, old], audience })).subject).toBe("alice")
    expect((await openIdentity(after, { keys: [old, next], audience })).subject).toBe("alice")
    const late = await sealIdentity(alice, { keys: [old], audience })
    expect(await reasonOf(openIdentity(late, { keys: [next], audience }))).toBe("unknown_key")
  })
})

describe("a token that is not believed", () => {
  const key = secretOf()
  const options = { keys: [key], audience }
  const seal = (identity: SealableIdentity = alice) => sealIdentity(identity, options)
  const clear = Buffer.from(Redacted.value(key.secret), "base64")
  const now = (): number => Math.floor(Date.now() / 1000)
  /** A token that whoever holds the key could make, and sealIdentity would not. */
  const forged = (payload: object, header: object = {}) =>
    new SignJWT({
      iss: "keyward",
      aud: audience,
      jti: String(Math.random()),
      iat: now(),
      exp: now() + 60,
      tenant: "acme",
      ...payload,
    })
      .setProtectedHeader({ alg: "HS256", kid: "one", typ: "keyward-identity+jwt", ...header })
      .sign(clear)

  it("was changed in any one place", async () => {
    const token = await seal()
    const { header, payload, signature } = partsOf(token)
    const [first = "", second = ""] = token.split(".")
    for (const changed of [
      `${first}.${written({ ...payload, sub: "bob" })}.${signature}`,
      `${first}.${written({ ...payload, tenant: "globex" })}.${signature}`,
      `${first}.${written({ ...payload, exp: now() + 9999 })}.${signature}`,
      `${first}.${second}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`,
      `${written({ ...header, x: 1 })}.${second}.${signature}`,
      `${first}.${second}.`,
    ]) {
      expect(await reasonOf(openIdentity(changed, options))).toBe("signature")
    }
    expect((await openIdentity(token, options)).subject).toBe("alice")
  })

  it("is signed by nobody, or in a way that the key is not for", async () => {
    const { payload } = partsOf(await seal())
    const unsigned = (alg: string) =>
      `${written({ alg, kid: "one", typ: "keyward-identity+jwt" })}.${written(payload)}.`
    for (const alg of ["none", "None", "HS512", "RS256"]) {
      expect(await reasonOf(openIdentity(unsigned(alg), options)), `signed by ${alg}`).toBe("algorithm")
    }
    const pair = generateKeyPairSync("ed25519")
    const publicKey = pair.publicKey.export({ type: "spki", format: "pem" }).toString()
    const body = `${written({ alg: "HS256", kid: "one", typ: "keyward-identity+jwt" })}.${written(payload)}`
    const confused = `${body}.${createHmac("sha256", publicKey).update(body).digest("base64url")}`
    expect(await reasonOf(openIdentity(confused, { keys: [{ id: "one", publicKey }], audience }))).toBe("algorithm")
  })

  it("is for another audience", async () => {
    const token = await sealIdentity(alice, { ...options, audience: "billing" })
    expect(await reasonOf(openIdentity(token, options))).toBe("audience")
    expect((await openIdentity(token, { ...options, audience: "billing" })).tenant).toBe("acme")
  })

  it("names a key that is not there, or is sealed with another key of its name", async () => {
    const other = secretOf("two")
    expect(await reasonOf(openIdentity(await sealIdentity(alice, { keys: [other], audience }), options))).toBe(
      "unknown_key",
    )
    expect(await reasonOf(openIdentity(await forged({}, { kid: undefined }), options))).toBe("unknown_key")
    const twin = await sealIdentity(alice, { keys: [secretOf()], audience })
    expect(await reasonOf(openIdentity(twin, options))).toBe("signature")
  })

  it("is opened a second time, here and wherever the same store is asked", async () => {
    const token = await seal()
    await openIdentity(token, options)
    expect(await reasonOf(openIdentity(token, options))).toBe("replayed")
    expect((await openIdentity(token, { ...options, replays: "allow" })).subject).toBe("alice")
    const remembered = new Map<string, number>()
    const shared: ReplayStore = {
      remember: (id, expiresAt) => {
        if (remembered.has(id)) return Promise.resolve(false)
        remembered.set(id, expiresAt)
        return Promise.resolve(true)
      },
    }
    const [once, twice] = [
      { ...options, replays: shared },
      { ...options, replays: shared },
    ]
    const next = await seal()
    const answers = await Promise.allSettled(Array.from({ length: 8 }, () => openIdentity(next, once)))
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
    expect(await reasonOf(openIdentity(next, twice))).toBe("replayed")
    const { exp } = partsOf(next).payload as { exp: number }
    expect([...remembered.values()]).toEqual([exp * 1000 + 5_000])
    for (const remember of [() => Promise.reject(new Error("down")), () => undefined as unknown as boolean]) {
      expect(await reasonOf(openIdentity(await seal(), { ...options, replays: { remember } }))).toBe("replayed")
    }
  })

  it("is used up only by being believed", async () => {
    const token = await seal()
    expect(await reasonOf(openIdentity(token, { ...options, audience: "billing" }))).toBe("audience")
    expect((await openIdentity(token, options)).subject).toBe("alice")
  })

  it("has expired, or is from the future, beyond what clocks may differ", async () => {
    const token = await sealIdentity(alice, { ...options, expiresInMs: 2_000 })
    const openAt = (at: number) =>
      Effect.runPromise(
        Effect.result(Effect.andThen(TestClock.setTime(at), openSealed(token, { ...options, replays: "allow" }))).pipe(
          Effect.provide(TestClock.layer()),
        ),
      )
    const { iat, exp } = partsOf(token).payload as { iat: number; exp: number }
    const outcome = async (at: number) => {
      const result = await openAt(at)
      return result._tag === "Success" ? "opened" : (result.failure as InvalidSealedIdentityError).reason
    }
    expect(await outcome(iat * 1000)).toBe("opened")
    expect(await outcome(exp * 1000 + 4_000)).toBe("opened")
    expect(await outcome(exp * 1000 + 6_000)).toBe("expired")
    expect(await outcome(iat * 1000 - 4_000)).toBe("opened")
    expect(await outcome(iat * 1000 - 6_000)).toBe("not_yet_valid")
  })

  it.each<[string, object, object, string]>([
    ["lasts too long", { exp: now() + 9_999 }, {}, "lifetime"],
    ["has no end", { exp: undefined }, {}, "claims"],
    ["has no beginning", { iat: undefined }, {}, "claims"],
    ["has no id", { jti: undefined }, {}, "claims"],
    ["has an empty id", { jti: "" }, {}, "claims"],
    ["is of another issuer", { iss: "somebody" }, {}, "claims"],
    ["is a token of another type", {}, { typ: "JWT" }, "claims"],
    ["names no tenant", { tenant: undefined }, {}, "claims"],
    ["names an empty tenant", { tenant: "" }, {}, "claims"],
    ["names a tenant that is no text", { tenant: 1 }, {}, "claims"],
    ["names a subject that is no text", { sub: "" }, {}, "claims"],
    ["names an agent that is no text", { agent: ["a"] }, {}, "claims"],
    ["names an agent of no name", { agent: null }, {}, "claims"],
  ])("%s", async (_, payload, header, reason) => {
    expect(await reasonOf(openIdentity(await forged(payload, header), options))).toBe(reason)
  })

  it("is no token at all", async () => {
    const texts: ReadonlyArray<unknown> = [
      "",
      "a",
      "a.b",
      "a.b.c",
      "....",
      "{}",
      "é.é.é",
      "x".repeat(70_000),
      undefined,
      null,
      1,
      {},
    ]
    for (const text of texts) {
      expect(await reasonOf(openIdentity(text as string, options)), `of ${String(text).slice(0, 20)}`).toBe("malformed")
    }
  })
})

describe("options with which nothing can be sealed", () => {
  it.each<[string, object, string]>([
    ["no keys", { keys: [] }, "keys"],
    ["keys that are no list", { keys: undefined }, "keys"],
    ["two keys of one id", { keys: [secretOf("a"), secretOf("a")] }, "keys"],
    ["a key without an id", { keys: [secretOf("")] }, "keys"],
    ["a short secret", { keys: [{ id: "a", secret: "c2hvcnQ=" }] }, "keys[0]"],
    ["a key that is none", { keys: [secretOf("a"), { id: "b", privateKey: "-----BEGIN" }] }, "keys[1]"],
    [
      "a key of another kind",
      {
        keys: [
          {
            id: "a",
            privateKey: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
              type: "pkcs8",
              format: "pem",
            }),
          },
        ],
      },
      "keys[0]",
    ],
    [
      "a public key first",
      {
        keys: [
          { id: "a", publicKey: generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }) },
        ],
      },
      "keys[0]",
    ],
    ["no audience", { keys: [secretOf("a")], audience: "" }, "audience"],
    ["too short a life", { keys: [secretOf("a")], expiresInMs: 10 }, "expiresInMs"],
    ["too long a life", { keys: [secretOf("a")], expiresInMs: 900_001 }, "expiresInMs"],
    ["a life that is no number", { keys: [secretOf("a")], expiresInMs: Number.NaN }, "expiresInMs"],
  ])("are refused: %s", async (_, given, field) => {
    const error = await rejectionOf(sealIdentity(alice, { audience, ...given } as never))
    expect(error).toBeInstanceOf(InvalidSealOptionsError)
    expect(error).toMatchObject({ field, httpStatus: 400 })
  })

  it("are a caller that is none", async () => {
    const options = { keys: [secretOf()], audience }
    for (const identity of [
      { tenant: "" },
      { tenant: "a", subject: "" },
      { tenant: "a", agent: "" },
      { tenant: undefined },
    ]) {
      expect(await rejectionOf(sealIdentity(identity as SealableIdentity, options))).toMatchObject({
        _tag: "InvalidIdentityError",
      })
    }
  })

  it("never show a key in what they say", async () => {
    const secret = canary("sealing")
    const keys = [
      { id: "a", secret: Redacted.make(secret.slice(0, 20)) },
      { id: "b", privateKey: secret },
    ]
    const errors = [
      await rejectionOf(sealIdentity(alice, { keys, audience })),
      await rejectionOf(sealIdentity(alice, { keys: keys.slice(1), audience })),
      await rejectionOf(createExecutor({ sealedIdentity: { keys, audience: "" } })),
    ]
    const long = {
      keys: [{ id: "a", secret: Redacted.make(Buffer.from(secret.repeat(4)).toString("base64")) }],
      audience,
    }
    const token = await sealIdentity(alice, long)
    new CanaryScanner([secret]).expectNone([errors, token, errors.map(String), long], "errors, tokens and options")
  })
})

describe("an executor for a sealed caller", () => {
  const sealedIdentity = { keys: [secretOf()], audience }

  it("acts for whom the token names, an agent included, and for nobody whom it does not", async () => {
    await using executor = await createExecutor({ tenant: "default", sealedIdentity })
    await executor.withIdentity({ tenant: "acme" }).agents.create({ id: "bot" })
    const token = await sealIdentity({ tenant: "acme", subject: "alice", agent: "bot" }, sealedIdentity)
    const caller = await executor.withSealedIdentity(token)
    expect(caller.identity).toEqual({ tenant: "acme", subject: "alice", agent: "bot" })
    expect(await reasonOf(executor.withSealedIdentity(token))).toBe("replayed")
    expect(await reasonOf(executor.withSealedIdentity("alice"))).toBe("malformed")
    const nobody = await executor.withSealedIdentity(await sealIdentity({ tenant: "acme" }, sealedIdentity))
    expect(nobody.identity).toEqual({ tenant: "acme", subject: null })
  })

  it("gives an agent no more than asAgent does, and nothing once the agent is gone", async () => {
    await using executor = await createExecutor({ ...alice, sealedIdentity })
    await executor.agents.create({ id: "bot" })
    const sealed = () => sealIdentity({ ...alice, agent: "bot" }, sealedIdentity)
    const caller = await executor.withSealedIdentity(await sealed())
    expect("subAgents" in caller).toBe(true)
    const wider = ["policies", "approvals", "agents", "oauth", "providers", "integrations", "withIdentity", "asAgent"]
    expect(wider.filter((member) => member in caller)).toEqual([])
    expect(
      await reasonOf((async () => executor.withIdentity(await openIdentity(await sealed(), sealedIdentity)))()),
    ).toBe("agent")
    await executor.agents.remove("bot")
    expect(await rejectionOf(caller.tools.list())).toBeInstanceOf(AgentNotFoundError)
    expect(await rejectionOf(executor.withSealedIdentity(await sealed()))).toBeInstanceOf(AgentNotFoundError)
  })

  it("takes an opened identity as it is, and a plain one for what it says", async () => {
    await using executor = await createExecutor({ tenant: "default" })
    const opened = await openIdentity(await sealIdentity(alice, sealedIdentity), sealedIdentity)
    expect(executor.withIdentity(opened).identity).toEqual(alice)
    expect(executor.withIdentity(plain(opened)).identity).toEqual(alice)
    expect(await rejectionOf(executor.withSealedIdentity("x"))).toBeInstanceOf(InvalidSealOptionsError)
  })

  it("believes nothing but sealed callers where the config says so", async () => {
    await using executor = await createExecutor({ sealedIdentity: { ...sealedIdentity, isRequired: true } })
    const refused = (identity: object): string => {
      try {
        executor.withIdentity(identity)
      } catch (error) {
        return (error as InvalidSealedIdentityError).reason
      }
      return "taken"
    }
    expect(refused(alice)).toBe("not_sealed")
    expect(refused({ ...alice, expiresAt: Date.now() + 60_000 })).toBe("not_sealed")
    expect(refused(Object.assign(Object.create(OpenedIdentityClass.prototype) as object, alice))).toBe("not_sealed")
    const opened = await openIdentity(await sealIdentity(alice, sealedIdentity), sealedIdentity)
    expect(refused(opened)).toBe("taken")
    expect(refused(plain(opened))).toBe("not_sealed")
  })

  it("believes no agent's plain id then, but a key or a token that names the agent", async () => {
    const store = memoryStore()
    await using open = await createExecutor({ tenant: "acme", store, sealedIdentity })
    const { key = "" } = await open.agents.create({ id: "bot", key: true })
    await open.agents.create({ id: "keyless" })
    expect((await open.asAgent("bot")).identity).toMatchObject({ agent: "bot" })
    await using strict = await createExecutor({
      tenant: "acme",
      store,
      sealedIdentity: { ...sealedIdentity, isRequired: true },
    })
    for (const id of ["bot", "keyless", "nobody", ""]) {
      const error = await rejectionOf(strict.asAgent(id))
      expect(error).toMatchObject({ _tag: "AgentKeyRequiredError", agent: id, httpStatus: 401 })
      expect(error.message).toContain("Pass the agent's key")
    }
    expect((await strict.asAgent(key)).identity).toEqual({ tenant: "acme", subject: null, agent: "bot" })
    expect(await rejectionOf(strict.asAgent(`${key.slice(0, -1)}!`))).toMatchObject({ _tag: "InvalidAgentKeyError" })
    const token = await sealIdentity({ ...alice, agent: "keyless" }, sealedIdentity)
    const sealed = await strict.withSealedIdentity(token)
    expect(sealed.identity).toEqual({ tenant: "acme", subject: "alice", agent: "keyless" })
    // Neither does an executor that came out of a token itself.
    const caller = await strict.withSealedIdentity(await sealIdentity(alice, sealedIdentity))
    if (!("asAgent" in caller)) throw new Error("It is an agent's.")
    expect(await rejectionOf(caller.asAgent("bot"))).toMatchObject({ _tag: "AgentKeyRequiredError" })
    expect((await caller.asAgent(key)).identity).toMatchObject({ subject: "alice", agent: "bot" })
  })

  it("is refused with a config that cannot open anything", async () => {
    expect(await rejectionOf(createExecutor({ sealedIdentity: { keys: [], audience } }))).toMatchObject({
      _tag: "InvalidConfigError",
      field: "sealedIdentity.keys",
    })
  })
})
