/**
 * RFC 7636: PKCE with S256 on every code flow, and no plain way out of it.
 */
import { createHash } from "node:crypto"
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { authorizationRequest, newCodeVerifier } from "../../src/oauth/AuthorizationRequest.ts"
import { request, server } from "./authorization.ts"

const parametersOf = async (input: Parameters<typeof request>[0] = {}): Promise<URLSearchParams> =>
  new URL(await Effect.runPromise(authorizationRequest(request(input)))).searchParams

const refusalOf = (input: Parameters<typeof request>[0]) =>
  Effect.runPromise(Effect.flip(authorizationRequest(request(input))))

describe("a code verifier", () => {
  it("has 256 bits in characters that section 4.1 allows, and is new each time", () => {
    const verifiers = Array.from({ length: 100 }, () => Redacted.value(newCodeVerifier()))
    expect(new Set(verifiers).size).toBe(100)
    for (const verifier of verifiers) {
      expect(verifier).toMatch(/^[A-Za-z0-9._~-]{43,128}$/)
      expect(Buffer.from(verifier, "base64url")).toHaveLength(32)
    }
  })
})

describe("an authorization request", () => {
  it("carries the S256 challenge of its verifier, as in appendix B", async () => {
    const codeVerifier = Redacted.make("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    const parameters = await parametersOf({ codeVerifier })
    expect(parameters.getAll("code_challenge")).toEqual(["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"])
    expect(parameters.getAll("code_challenge_method")).toEqual(["S256"])
  })

  it("never carries the verifier", async () => {
    const verifier = canary("verifier")
    const address = await Effect.runPromise(authorizationRequest(request({ codeVerifier: Redacted.make(verifier) })))
    new CanaryScanner([verifier]).expectNone(address, "the address")
    expect(address).toContain(createHash("sha256").update(verifier).digest("base64url"))
  })

  it("carries a challenge also where the metadata does not speak of PKCE", async () => {
    const parameters = await parametersOf({ server: server({ codeChallengeMethodsSupported: null }) })
    expect(parameters.get("code_challenge_method")).toBe("S256")
  })

  it("uses S256 where the server would take plain too", async () => {
    const parameters = await parametersOf({ server: server({ codeChallengeMethodsSupported: ["plain", "S256"] }) })
    expect(parameters.get("code_challenge_method")).toBe("S256")
  })

  it.each([[["plain"]], [[]], [["s256"]]])("is refused where the metadata lists %j, without S256", async (methods) => {
    const verifier = canary("verifier")
    const error = await refusalOf({
      server: server({ codeChallengeMethodsSupported: methods }),
      codeVerifier: Redacted.make(verifier),
    })
    expect(error).toMatchObject({ _tag: "OAuthStartError", reason: "pkce_not_supported", retryable: false })
    new CanaryScanner([verifier]).expectNone(error, "the refusal")
  })

  it("is refused without a verifier", async () => {
    expect((await refusalOf({ codeVerifier: undefined })).reason).toBe("code_verifier_missing")
  })

  it("carries no challenge where a quirk says that the server rejects one, even if a verifier was made", async () => {
    for (const codeVerifier of [undefined, newCodeVerifier()]) {
      const parameters = await parametersOf({
        codeVerifier,
        quirks: { pkce: "refused" },
        server: server({ codeChallengeMethodsSupported: [] }),
      })
      expect([...parameters.keys()].filter((name) => name.startsWith("code_challenge"))).toEqual([])
    }
  })
})
