/**
 * RFC 8707: the resource that tokens are wanted for, in the authorization request as in the device request.
 */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { authorizationRequest } from "../../src/oauth/AuthorizationRequest.ts"
import { requestDeviceAuthorization } from "../../src/oauth/DeviceAuthorization.ts"
import { publicClient, request, server, upstream } from "./authorization.ts"

const parametersOf = async (resource: string | null): Promise<URLSearchParams> =>
  new URL(await Effect.runPromise(authorizationRequest(request({ resource })))).searchParams

describe("a resource indicator", () => {
  it("is in the authorization request letter by letter, query and trailing slash included", async () => {
    for (const resource of ["https://api.example/mcp", "https://api.example/mcp/?v=1", "urn:example:api"]) {
      expect((await parametersOf(resource)).getAll("resource")).toEqual([resource])
    }
  })

  it("is left out where there is none", async () => {
    expect((await parametersOf(null)).has("resource")).toBe(false)
  })

  it.each(["https://api.example/mcp#part", "https://api.example/#", "api.example/mcp", "/mcp", ""])(
    "is refused when it is no absolute URI without a fragment: %j",
    async (resource) => {
      const error = await Effect.runPromise(Effect.flip(authorizationRequest(request({ resource }))))
      expect(error).toMatchObject({ _tag: "OAuthStartError", reason: "invalid_resource" })
    },
  )

  it("is pushed with the other parameters", async () => {
    const { fake, http } = await upstream({
      "POST /par": { status: 201, json: { request_uri: "urn:example:1", expires_in: 60 } },
    })
    const pushedAuthorizationRequestUrl = `${fake.origin}/par`
    const resource = "https://api.example/mcp"
    await Effect.runPromise(
      authorizationRequest(request({ http, resource, server: server({ pushedAuthorizationRequestUrl }) })),
    )
    expect(new URLSearchParams(fake.requests[0]?.text).getAll("resource")).toEqual([resource])
  })

  it("is in the device request", async () => {
    const { fake, http } = await upstream({
      "POST /device": {
        json: { device_code: "d", user_code: "ABCD", verification_uri: "https://as.example/device", expires_in: 600 },
      },
    })
    await Effect.runPromise(
      requestDeviceAuthorization({
        http,
        server: server({ deviceAuthorizationUrl: `${fake.origin}/device` }),
        client: publicClient,
        scope: null,
        resource: "https://api.example/mcp",
        quirks: {},
      }),
    )
    expect(new URLSearchParams(fake.requests[0]?.text).get("resource")).toBe("https://api.example/mcp")
  })
})
