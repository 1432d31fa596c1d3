/** The pure halves of the provider: names, texts and limits, on every system's terms wherever the tests run. */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { accountNameOf, idOfAccountName } from "../src/accountName.ts"
import { limitsOf, misfit } from "../src/keychainLimits.ts"
import { secretOfStoredText, storedTextOf } from "../src/storedText.ts"

/** Any JavaScript string, unpaired surrogates included. */
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc
    .array(fc.constantFrom("a", "A", "%", "%41", "%u", "\ud800", "\udc00", "é", "e\u0301", "\0", " ", ""))
    .map((parts) => parts.join("")),
)

describe.each([
  ["that folds case", true],
  ["that does not fold case", false],
])("account names of a keychain %s", (_, foldsCase) => {
  it("give the id back", () => {
    fc.assert(
      fc.property(anyText, (id) => {
        expect(idOfAccountName(accountNameOf(id, foldsCase), foldsCase)).toBe(id)
      }),
    )
  })

  it("are never empty, and plain ASCII", () => {
    fc.assert(
      fc.property(anyText, (id) => {
        expect(accountNameOf(id, foldsCase)).toMatch(/^[A-Za-z0-9_.:/@+=,%-]+$/)
      }),
    )
  })

  it("differ for different ids, to the keychain too", () => {
    const seen = (id: string): string =>
      foldsCase ? accountNameOf(id, foldsCase).toLowerCase() : accountNameOf(id, foldsCase)
    fc.assert(
      fc.property(anyText, anyText, (one, other) => {
        fc.pre(one !== other)
        expect(seen(one)).not.toBe(seen(other))
      }),
    )
    expect(new Set(["token", "Token", "TOKEN"].map(seen)).size).toBe(3)
  })

  it("that no id has are nobody's", () => {
    for (const name of ["", "a b", "%2", "%e9", "%41", "%61", "%zz", "%u0041", "é"]) {
      const id = idOfAccountName(name, foldsCase)
      if (id !== undefined) expect(accountNameOf(id, foldsCase)).toBe(name)
    }
    expect(idOfAccountName("%61", foldsCase)).toBeUndefined()
    expect(idOfAccountName("é", foldsCase)).toBeUndefined()
  })
})

describe("account names", () => {
  it("are the ids of connections as they are, where case counts", () => {
    const id = "acme/alice/connection:user:gitHub:main:token"
    expect(accountNameOf(id, false)).toBe(id)
  })
})

describe("stored text", () => {
  it("gives the secret back", () => {
    fc.assert(
      fc.property(anyText, (secret) => {
        expect(secretOfStoredText(storedTextOf(secret))).toBe(secret)
      }),
    )
    const own = storedTextOf("")
    expect(secretOfStoredText(storedTextOf(own))).toBe(own)
  })

  it("is well-formed and never empty", () => {
    fc.assert(
      fc.property(anyText, (secret) => {
        const stored = storedTextOf(secret)
        expect(stored.isWellFormed() && stored !== "").toBe(true)
      }),
    )
  })

  it("is the secret itself where that does no harm", () => {
    expect(storedTextOf("ghp_16C7e42F292c6912E7710c838347Ae178B4a\n")).toBe(
      "ghp_16C7e42F292c6912E7710c838347Ae178B4a\n",
    )
  })
})

describe("limits", () => {
  it.each([
    ["win32", "x".repeat(1_280), undefined],
    ["win32", "x".repeat(1_281), "The value takes 2562 bytes and the Windows Credential Manager holds 2560 per entry."],
    ["win32", "密".repeat(1_280), undefined],
    ["darwin", "x".repeat(8_388_609), "The value takes 8388609 bytes and the macOS Keychain holds 8388608 per entry."],
    ["linux", "密".repeat(2_796_203), "The value takes 8388609 bytes and the Secret Service holds 8388608 per entry."],
    ["linux", "x".repeat(8_388_608), undefined],
  ] as const)("of %s say in numbers what is too large", (platform, text, said) => {
    const refusal = misfit("alpha", text, limitsOf(platform))
    expect(refusal?.reason).toBe(said === undefined ? undefined : "value_too_large")
    if (said !== undefined) expect(refusal?.message).toContain(said)
  })

  it("of Windows leave room for 512 characters of id", () => {
    expect(misfit("x".repeat(512), "", limitsOf("win32"))).toBeUndefined()
    expect(misfit("x".repeat(513), "", limitsOf("win32"))?.message).toContain("takes 513 characters")
  })
})
