/**
 * Identities and the partition prefix made of them: who may be named, and that no two of them share a prefix.
 */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  escapePart,
  type Identity,
  InvalidIdentityError,
  makeIdentity,
  partitionPrefix,
  subjectOf,
} from "../../src/identity/Identity.ts"

const colliding = [
  "a",
  "A",
  "aa",
  "a/b",
  "a:b",
  "a%2Fb",
  "%2F",
  "..",
  "/",
  ":",
  "%",
  "__proto__",
  "caf\u00e9",
  "cafe\u0301",
]
const part = fc
  .oneof(fc.constantFrom(...colliding), fc.string({ unit: "binary", minLength: 1, maxLength: 8 }))
  .filter((text) => text.isWellFormed())
const identity: fc.Arbitrary<Identity> = fc.record({ tenant: part, subject: part })

describe("makeIdentity", () => {
  const make = (input: Parameters<typeof makeIdentity>[0]) => Effect.runSync(Effect.result(makeIdentity(input, "acme")))

  it("fills in the executor's tenant, and nobody where no subject is named", () => {
    expect(Effect.runSync(makeIdentity({}, "acme"))).toEqual({ tenant: "acme", subject: null })
    expect(Effect.runSync(makeIdentity({ tenant: "globex", subject: null }, "acme"))).toEqual({
      tenant: "globex",
      subject: null,
    })
  })

  it.each([
    ["an empty tenant", { tenant: "" }, "tenant"],
    ["an empty subject", { subject: "" }, "subject"],
    ["a tenant of 513 characters", { tenant: "x".repeat(513) }, "tenant"],
    ["a subject that is half a character", { subject: "\ud800" }, "subject"],
    ["a tenant that is no text", { tenant: 7 as unknown as string }, "tenant"],
  ])("refuses %s and names the part", (_, input, part) => {
    const result = make(input)
    expect(result).toMatchObject({ _tag: "Failure", failure: { _tag: "InvalidIdentityError", part } })
    if (result._tag === "Failure") expect(result.failure).toBeInstanceOf(InvalidIdentityError)
  })

  it("takes any other text as it is, without folding case or composing letters", () => {
    fc.assert(
      fc.property(part, part, (tenant, subject) => {
        expect(Effect.runSync(makeIdentity({ tenant, subject }, "acme"))).toEqual({ tenant, subject })
      }),
    )
  })
})

describe("the partition prefix", () => {
  it("reads tenant/ for an organisation and tenant/subject/ for a user", () => {
    const alice: Identity = { tenant: "acme", subject: "alice" }
    expect(partitionPrefix(alice, "org")).toBe("acme/")
    expect(partitionPrefix(alice, "user")).toBe("acme/alice/")
    expect([subjectOf(alice, "org"), subjectOf(alice, "user")]).toEqual(["", "alice"])
  })

  it("is the same for two callers only if they are the same owner of the same tenant", () => {
    fc.assert(
      fc.property(identity, identity, (one, other) => {
        const isSameTenant = one.tenant === other.tenant
        expect(partitionPrefix(one, "org") === partitionPrefix(other, "org")).toBe(isSameTenant)
        expect(partitionPrefix(one, "user") === partitionPrefix(other, "user")).toBe(
          isSameTenant && one.subject === other.subject,
        )
        expect(partitionPrefix(one, "org")).not.toBe(partitionPrefix(other, "user"))
      }),
      { numRuns: 2_000 },
    )
  })

  it("never lets an id that begins with one be read as beginning with another's", () => {
    fc.assert(
      fc.property(identity, identity, (one, other) => {
        const id = `${partitionPrefix(one, "user")}connection:`
        const begins = id.startsWith(`${partitionPrefix(other, "user")}connection:`)
        expect(begins).toBe(one.tenant === other.tenant && one.subject === other.subject)
        expect(id.startsWith(`${partitionPrefix(other, "org")}connection:`)).toBe(false)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe("escapePart", () => {
  it("leaves ASCII letters, digits, _ and -, and nothing that an id or a path is made of", () => {
    fc.assert(
      fc.property(part, (text) => {
        expect(escapePart(text)).toMatch(/^[A-Za-z0-9_%-]+$/)
      }),
    )
  })

  it("can be undone, so that no two parts become one", () => {
    fc.assert(
      fc.property(part, (text) => {
        expect(decodeURIComponent(escapePart(text))).toBe(text)
      }),
    )
  })
})
