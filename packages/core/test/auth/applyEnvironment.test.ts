/**
 * Credentials in the environment of a process: filled, refused where an environment cannot hold them, and on no request.
 */
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { applyAuth, findOnly } from "../../src/auth/applyAuth.ts"
import { applyEnvironment } from "../../src/auth/applyEnvironment.ts"
import { compileTemplate, variable } from "../../src/auth/AuthTemplate.ts"

const template = compileTemplate({
  slug: "k",
  type: "apiKey",
  env: { TOKEN: ["tk-", variable("token")], REGION: ["eu"] },
})
const valuesOf = (token: string) => new Map([["token", Redacted.make(token)]])

describe("applyEnvironment", () => {
  it("fills variables with literals and values", () => {
    expect({ ...Result.getOrThrow(applyEnvironment(template, valuesOf("s3cret\nline"))) }).toEqual({
      TOKEN: "tk-s3cret\nline",
      REGION: "eu",
    })
  })

  it("refuses what an environment cannot hold, without saying it", () => {
    const secret = canary("nul")
    const failure = Result.getOrThrow(Result.flip(applyEnvironment(template, valuesOf(`${secret}\0`))))
    expect(failure).toMatchObject({ _tag: "CredentialNotPlaceableError", location: "environment", name: "TOKEN" })
    new CanaryScanner([secret]).expectNone([failure, failure.message], "the failure")
  })

  it("puts nothing on a request", () => {
    const secret = canary("request")
    const authorizer = Result.getOrThrow(applyAuth(template, valuesOf(secret)))
    const request = { method: "GET", url: new URL("https://a.example/"), headers: {}, body: null }
    expect(authorizer.authorize(request)).toEqual(request)
  })

  it("is found again in what comes back", () => {
    const secret = canary("echo")
    expect(findOnly(template, valuesOf(secret)).redact(`got tk-${secret}`)).toBe("got tk-<redacted>")
  })
})
