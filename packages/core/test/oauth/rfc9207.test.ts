/**
 * RFC 9207: the issuer in the authorization response, compared letter by letter and before anything else is looked at.
 */
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { readAuthorizationResponse } from "../../src/oauth/AuthorizationResponse.ts"
import type { OAuthCompleteError } from "../../src/oauth/OAuthError.ts"

const issuer = "https://as.example"

const session = (isIssRequired: boolean, pinned: string | null = issuer) => ({
  server: { issuer: pinned, tokenUrl: `${issuer}/token`, revocationUrl: null, isIssRequired },
})

const refusal = (query: Record<string, string> | string, isIssRequired = false): OAuthCompleteError => {
  const read = readAuthorizationResponse(new URLSearchParams(query), session(isIssRequired), {})
  if (Result.isSuccess(read)) throw new Error("The response was accepted.")
  return read.failure
}

const accepted = (query: Record<string, string>, isIssRequired: boolean, pinned: string | null = issuer): string => {
  const read = readAuthorizationResponse(new URLSearchParams(query), session(isIssRequired, pinned), {})
  return Redacted.value(Result.getOrThrow(read).code)
}

describe("the issuer of an authorization response", () => {
  it("is required where the server announced it", () => {
    expect(refusal({ code: "c", state: "s" }, true).reason).toBe("iss_missing")
    expect(accepted({ code: "c", state: "s", iss: issuer }, true)).toBe("c")
  })

  it("may be absent where the server did not announce it", () => {
    expect(accepted({ code: "c", state: "s" }, false)).toBe("c")
  })

  it("is compared where it is present, announced or not", () => {
    for (const isIssRequired of [true, false]) {
      expect(refusal({ code: "c", state: "s", iss: "https://evil.example" }, isIssRequired).reason).toBe("iss_mismatch")
    }
  })

  it.each([
    "https://as.example/",
    "https://AS.example",
    "https://as.example:443",
    "HTTPS://as.example",
    " https://as.example",
    "",
  ])("is compared as a simple string, so that %j is another one", (iss) => {
    expect(refusal({ code: "c", state: "s", iss }).reason).toBe("iss_mismatch")
  })

  it("is refused for any text but the pinned one", () => {
    fc.assert(
      fc.property(fc.string(), (iss) => {
        fc.pre(iss !== issuer)
        expect(refusal({ code: "c", state: "s", iss }).reason).toBe("iss_mismatch")
      }),
    )
  })

  it("is refused when it is there twice, even if both are right", () => {
    expect(refusal(`code=c&state=s&iss=${issuer}&iss=${issuer}`).reason).toBe("duplicate_parameter")
  })

  it("is not compared where the flow began at endpoints entered by hand, which have none", () => {
    expect(accepted({ code: "c", state: "s", iss: "https://whoever.example" }, false, null)).toBe("c")
  })

  it("is judged before an error is: nothing of another issuer's error is shown", () => {
    const [code, description, uri] = [canary("error"), canary("description"), canary("uri")]
    const foreign = { error: code, error_description: description, error_uri: `https://x.example/${uri}`, state: "s" }
    const wrong = refusal({ ...foreign, iss: "https://evil.example" })
    const missing = refusal(foreign, true)
    expect([wrong.reason, missing.reason]).toEqual(["iss_mismatch", "iss_missing"])
    new CanaryScanner([code, description, uri]).expectNone([wrong, missing], "the refusals")
    const denial = refusal({ error: "access_denied", state: "s", iss: "https://evil.example" })
    expect(denial.reason).toBe("iss_mismatch")
  })

  it("leaves code and state out of a refusal", () => {
    const [code, state, iss] = [canary("code"), canary("state"), canary("iss")]
    const errors = [refusal({ code, state, iss }), refusal({ code, state }, true)]
    new CanaryScanner([code, state, iss]).expectNone(errors, "the refusals")
  })
})
