/** The grammar of ids: what is a reference, what is a misspelt one, and what is none of 1Password's business. */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { parseSecretReference } from "../src/SecretReference.ts"

const name = fc.stringMatching(/^[A-Za-z0-9_.][A-Za-z0-9_. -]{0,30}$/).filter((text) => text.length > 0)

describe("parseSecretReference", () => {
  it("gives back the parts of every reference it accepts", () => {
    fc.assert(
      fc.property(name, name, fc.option(name), name, (vault, item, section, field) => {
        const id = ["op:/", "", vault, item, ...(section === null ? [] : [section]), field]
          .join("/")
          .replace("///", "//")
        expect(parseSecretReference(id)).toEqual({ vault, item, section, field, form: "value" })
      }),
    )
  })

  it("accepts no part that op could take for an option or that is not plain text", () => {
    const part = fc.oneof(
      name,
      fc.string({ unit: "binary" }),
      fc.constantFrom("-x", "--vault", "", " ", "a\0b", "é", "a%2Fb"),
    )
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), fc.string(), (parts, query) => {
        const parsed = parseSecretReference(`op://${parts.join("/")}${query}`)
        if (parsed === undefined || "problem" in parsed) return
        for (const text of [parsed.vault, parsed.item, parsed.section, parsed.field]) {
          if (text !== null) expect(text).toMatch(/^[A-Za-z0-9_.][A-Za-z0-9_. -]*$/)
        }
      }),
    )
  })

  it("leaves everything else to other providers", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (id) => {
        fc.pre(!id.startsWith("op://") && !/^[a-z2-7]{26}$/.test(id))
        expect(parseSecretReference(id)).toBeUndefined()
      }),
    )
  })

  it("takes 26 characters of base 32 for an item id", () => {
    const item = "so3nncwr2l35gcpemjbqqcl5fa"
    expect(parseSecretReference(item)).toEqual({ vault: null, item, section: null, field: null, form: "value" })
    for (const other of [`${item}a`, item.slice(1), item.toUpperCase(), item.replace("3", "1")]) {
      expect(parseSecretReference(other)).toBeUndefined()
    }
  })

  it.each([
    ["?attribute=otp", "otp"],
    ["?attribute=totp", "otp"],
    ["?attribute=value", "value"],
    ["?ssh-format=openssh", "openssh"],
  ])("understands %s", (query, form) => {
    expect(parseSecretReference(`op://v/i/f${query}`)).toMatchObject({ field: "f", form })
  })

  it.each([
    "op://",
    "op://v",
    "op://v/i",
    "op://v//f",
    "op://v/-i/f",
    "op://v/i/s/f/x",
    "op://v/i/f/",
    "op://v/i/f?attribute=type",
    "op://v/i/f?attribute=otp?attribute=otp",
    "op://v/i/f?",
    "op://v/i/f\n",
    "op://v/i/f#x",
    "op://v/$(id)/f",
    'op://v/"i"/f',
    "op://v/i%2Ff/f",
    "op://v/密/f",
    `op://v/${"i".repeat(256)}/f`,
  ])("says what is wrong with %j", (id) => {
    expect(parseSecretReference(id)).toEqual({ problem: expect.stringMatching(/^(The|It|A) .+\.$/) })
  })

  it("does not take another scheme's spelling for its own", () => {
    for (const id of ["OP://v/i/f", "op:/v/i/f", "op:v/i/f", " op://v/i/f"])
      expect(parseSecretReference(id)).toBeUndefined()
  })
})
