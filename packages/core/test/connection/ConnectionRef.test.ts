/**
 * Names of connections: how free-form text becomes an identifier, and how a reference is checked and spelled as an item's id.
 */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  connectionAddress,
  connectionIdentifier,
  connectionItemId,
  connectionKey,
  type ConnectionRef,
  itemPartition,
  tokenItemId,
} from "../../src/connection/ConnectionRef.ts"
import type { Identity } from "../../src/identity/Identity.ts"

const alice: Identity = { tenant: "acme", subject: "alice" }
const nobody: Identity = { tenant: "acme", subject: null }

describe("connectionIdentifier", () => {
  it.each([
    ["my-api-key", "myApiKey"],
    ["My API key", "myAPIKey"],
    ["staging.eu-west_1", "stagingEuWest_1"],
    ["2nd account", "_2ndAccount"],
    ["  spaced  ", "spaced"],
    ["Öffentlicher Schlüssel", "öffentlicherSchlüssel"],
    ["рабочий ключ", "рабочийКлюч"],
    ["$weird$", "$weird$"],
  ])("makes %j into %j", (name, identifier) => {
    expect(connectionIdentifier(name)).toBe(identifier)
  })

  it.each(["main", "myApiKey", "_private", "$", "Ключ", "名前", "__proto__"])(
    "leaves the identifier %j alone",
    (name) => {
      expect(connectionIdentifier(name)).toBe(name)
    },
  )

  it.each(["", " ", "---", "🔑", "..", "\0"])("leaves nothing of %j", (name) => {
    expect(connectionIdentifier(name)).toBeUndefined()
  })

  it("gives an identifier or nothing, is idempotent, and puts no dot into an address", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), (name) => {
        const identifier = connectionIdentifier(name)
        if (identifier === undefined) return
        expect(identifier).toMatch(/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u)
        expect(connectionIdentifier(identifier)).toBe(identifier)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe("connectionKey", () => {
  const ref: ConnectionRef = { owner: "user", integration: "github", name: "my account" }
  const check = (identity: Identity, given: unknown) =>
    Effect.runSync(Effect.result(connectionKey(identity, given as ConnectionRef)))

  it("adds the partition and normalizes the name", () => {
    expect(Effect.runSync(connectionKey(alice, ref))).toEqual({
      tenant: "acme",
      subject: "alice",
      owner: "user",
      integration: "github",
      name: "myAccount",
    })
    expect(Effect.runSync(connectionKey(alice, { ...ref, owner: "org" }))).toMatchObject({ subject: "" })
  })

  it.each([
    ["a user's connection without a user", nobody, ref, "owner"],
    ["an owner that is neither", alice, { ...ref, owner: "team" }, "owner"],
    ["no integration", alice, { ...ref, integration: "" }, "integration"],
    ["a name with nothing usable in it", alice, { ...ref, name: "--" }, "name"],
    ["a name that is no text", alice, { ...ref, name: 7 }, "name"],
  ])("refuses %s and names the field", (_, identity, given, field) => {
    expect(check(identity, given)).toMatchObject({
      _tag: "Failure",
      failure: { _tag: "InvalidConnectionInputError", field },
    })
  })
})

describe("addresses and item ids", () => {
  const key = { tenant: "acme", subject: "alice", owner: "user", integration: "github", name: "main" } as const

  it("are spelled as documented", () => {
    expect(connectionAddress(key)).toBe("tools.github.user.main")
    expect(connectionItemId(key, "token")).toBe("acme/alice/connection:user:github:main:token")
    expect(connectionItemId({ ...key, owner: "org", subject: "" }, "token")).toBe(
      "acme/connection:org:github:main:token",
    )
    expect(connectionItemId({ ...key, name: "ключ" }, "a:b")).toBe(
      "acme/alice/connection:user:github:%D0%BA%D0%BB%D1%8E%D1%87:a%3Ab",
    )
  })

  it("give no two variables of any two connections one id", () => {
    const text = fc
      .oneof(fc.constantFrom("a", "a:b", "b", "a%3Ab", ":", "__proto__"), fc.string({ unit: "binary", maxLength: 6 }))
      .filter((part) => part !== "" && part.isWellFormed())
    const item = fc.record({
      key: fc.record({
        tenant: text,
        subject: text,
        owner: fc.constantFrom("org" as const, "user" as const),
        integration: text,
        name: text,
      }),
      variable: text,
    })
    const parts = ({
      key: { tenant, subject, owner, integration, name },
      variable,
    }: typeof item extends fc.Arbitrary<infer I> ? I : never) =>
      JSON.stringify([tenant, owner === "user" ? subject : "", owner, integration, name, variable])
    fc.assert(
      fc.property(item, item, (one, other) => {
        const isSameId = connectionItemId(one.key, one.variable) === connectionItemId(other.key, other.variable)
        expect(isSameId).toBe(parts(one) === parts(other))
      }),
      { numRuns: 2_000 },
    )
  })

  it("tell whose an item is", () => {
    const own = connectionItemId(key, "token")
    expect(itemPartition(alice, "user", own)).toBe("own")
    expect(itemPartition({ tenant: "acme", subject: "bob" }, "user", own)).toBe("foreign")
    expect(itemPartition({ tenant: "globex", subject: "alice" }, "user", own)).toBe("foreign")
    expect(itemPartition(alice, "org", own)).toBe("foreign")
    expect(itemPartition(alice, "user", "op://Agents/GitHub/token")).toBe("external")
  })

  it("give the tokens of a connection to its owner, and the secrets of OAuth apps and of the outbox to nobody", () => {
    expect(itemPartition(alice, "user", tokenItemId(key))).toBe("own")
    expect(itemPartition(alice, "user", `${tokenItemId(key)}:refresh`)).toBe("own")
    expect(itemPartition({ tenant: "acme", subject: "bob" }, "user", tokenItemId(key))).toBe("foreign")
    for (const kind of ["oauth-client:user:app:secret", "oauth-revocation:1", "OAuth-Client:user:app:key"]) {
      expect(itemPartition(alice, "user", `acme/alice/${kind}`)).toBe("foreign")
      expect(itemPartition(alice, "org", `acme/${kind}`)).toBe("foreign")
    }
    expect(itemPartition(alice, "user", "oauth-client:somebody-else")).toBe("external")
  })
})
