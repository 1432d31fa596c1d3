/**
 * Where a credential may come from: exactly one form, one provider, every variable and no other.
 */
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { compileTemplate, noneTemplate, variable } from "../../src/auth/AuthTemplate.ts"
import { credentialOrigin } from "../../src/connection/CreateConnection.ts"

const one = compileTemplate({ slug: "bearer", type: "bearer" })
const two = compileTemplate({ slug: "keys", type: "apiKey", headers: { a: [variable("api")], b: [variable("app")] } })
const none = compileTemplate(noneTemplate)
const base = { owner: "org", integration: "github", name: "main", template: "t" } as const
const external = (id: string, provider = "vault") => ({ from: { provider, id } })

const origin = (parts: object, template = one) =>
  Effect.runSync(Effect.result(credentialOrigin({ ...base, ...parts }, template)))

describe("credentialOrigin", () => {
  it.each<[form: string, parts: object, template: typeof one, values: Readonly<Record<string, string>>]>([
    ["value", { value: "v" }, one, { token: "v" }],
    ["values", { values: { api: "1", app: "2" } }, two, { api: "1", app: "2" }],
    ["inputs", { inputs: { api: { value: "1" }, app: { value: "2" } } }, two, { api: "1", app: "2" }],
  ])("takes pasted %s, wrapped", (_, parts, template, values) => {
    const given = Result.getOrThrow(origin(parts, template))
    if (given.kind !== "pasted") return expect.unreachable(given.kind)
    expect(Object.fromEntries([...given.values].map(([name, value]) => [name, Redacted.value(value)]))).toEqual(values)
  })

  it("takes external references as they are", () => {
    expect(origin(external("op://v/i/f"))).toEqual(
      Result.succeed({ kind: "external", provider: "vault", ids: new Map([["token", "op://v/i/f"]]) }),
    )
    expect(origin({ inputs: { api: external("1"), app: external("2") } }, two)).toEqual(
      Result.succeed({
        kind: "external",
        provider: "vault",
        ids: new Map([
          ["api", "1"],
          ["app", "2"],
        ]),
      }),
    )
  })

  it("takes nothing, or nothing in an object, for a template without a credential", () => {
    for (const parts of [{}, { values: {} }, { inputs: {} }, { value: undefined }]) {
      expect(origin(parts, none)).toEqual(Result.succeed({ kind: "none" }))
    }
  })

  it.each<[field: string, parts: object, template?: typeof one]>([
    ["origin", {}],
    ["origin", { value: "v", values: { token: "v" } }],
    ["origin", { value: "v", ...external("x") }],
    ["value", { value: "v" }, none],
    ["from", external("x"), none],
    ["values", { values: { token: "v" } }, none],
    ["value", { value: "v" }, two],
    ["value", { value: 7 }],
    ["value", { value: null }],
    ["values", { values: ["v"] }],
    ["values", { values: { token: 7 } }],
    ["values", { values: { api: "1" } }, two],
    ["values", { values: { api: "1", app: "2", extra: "3" } }, two],
    ["values", { values: JSON.parse('{"token":"v","__proto__":"x"}') as object }],
    ["from", { from: { provider: "vault" } }],
    ["from", { from: { provider: "", id: "x" } }],
    ["from", { from: "vault:x" }],
    ["from", external("x"), two],
    ["inputs", { inputs: { token: {} } }],
    ["inputs", { inputs: { token: null } }],
    ["inputs", { inputs: { token: "v" } }],
    ["inputs", { inputs: { token: { value: "v", ...external("x") } } }],
    ["inputs", { inputs: { api: { value: "1" }, app: external("2") } }, two],
    ["inputs", { inputs: { api: external("1"), app: external("2", "other") } }, two],
  ])("refuses a faulty %s: %j", (field, parts, template) => {
    expect(origin(parts, template)).toMatchObject({
      failure: { _tag: "InvalidConnectionInputError", field, httpStatus: 400 },
    })
  })

  it("quotes no value in what it refuses", () => {
    const secret = canary("pasted")
    const scanner = new CanaryScanner([secret])
    for (const [parts, template] of [
      [{ value: secret }, none],
      [{ value: secret }, two],
      [{ value: secret, values: { token: secret } }, one],
      [{ values: { api: secret } }, two],
      [{ values: { token: [secret] } }, one],
      [{ values: secret }, one],
      [{ inputs: { token: secret } }, one],
      [{ inputs: { token: { value: secret, from: { provider: "p", id: secret } } } }, one],
    ] as const) {
      const result = origin(parts, template)
      expect(Result.isFailure(result)).toBe(true)
      scanner.expectNone(result, "the refusal")
    }
  })
})
