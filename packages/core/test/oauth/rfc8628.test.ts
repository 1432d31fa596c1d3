/**
 * RFC 8628: device authorization, what a person may be shown of it, and the pace of polling. Flows are in the executor's tests.
 */
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  type DeviceAuthorizationInput,
  nextPoll,
  requestDeviceAuthorization,
} from "../../src/oauth/DeviceAuthorization.ts"
import { TokenRequestError } from "../../src/oauth/tokenFailure.ts"
import { confidentialClient, publicClient, server, unreachable, upstream } from "./authorization.ts"

type Answers = Parameters<typeof upstream>[0]

const good = {
  device_code: "the device code",
  user_code: "WDJB-MJHT",
  verification_uri: "https://as.example/device",
  expires_in: 1800,
}

const against = async (answers: Answers, parts: Partial<DeviceAuthorizationInput> = {}) => {
  const { fake, http } = await upstream(answers)
  const input: DeviceAuthorizationInput = {
    http,
    server: server({ deviceAuthorizationUrl: `${fake.origin}/device` }),
    client: publicClient,
    scope: null,
    resource: null,
    quirks: {},
    ...parts,
  }
  return { fake, input }
}

const answered = async (json: unknown) => {
  const { input } = await against({ "POST /device": { json } })
  return Effect.runPromise(requestDeviceAuthorization(input))
}

const refusal = async (answers: Answers, parts: Partial<DeviceAuthorizationInput> = {}): Promise<TokenRequestError> => {
  const { input } = await against(answers, parts)
  return Effect.runPromise(Effect.flip(requestDeviceAuthorization(input)))
}

const refusedAnswer = (json: unknown): Promise<TokenRequestError> => refusal({ "POST /device": { json } })

describe("a device authorization request", () => {
  it("asks with the client's id and the scopes, as the quirk separates them", async () => {
    const { fake, input } = await against({ "POST /device": { json: good } }, { scope: "a b" })
    await Effect.runPromise(requestDeviceAuthorization(input))
    await Effect.runPromise(
      requestDeviceAuthorization({ ...input, quirks: { scopeSeparator: ",", clientIdParameter: "client_key" } }),
    )
    expect(fake.requests.map(({ text }) => Object.fromEntries(new URLSearchParams(text)))).toEqual([
      { client_id: "the client", scope: "a b" },
      { client_key: "the client", scope: "a,b" },
    ])
  })

  it("authenticates a confidential client", async () => {
    const secret = canary("client secret")
    const { fake, input } = await against({ "POST /device": { json: good } }, { client: confidentialClient(secret) })
    await Effect.runPromise(requestDeviceAuthorization(input))
    expect(fake.requests[0]?.headers.authorization).toMatch(/^Basic /)
    expect(fake.requests[0]?.text).not.toContain("secret")
  })

  it("adds provider parameters, and refuses those of the protocol among them", async () => {
    const { fake, input } = await against({ "POST /device": { json: good } })
    await Effect.runPromise(requestDeviceAuthorization({ ...input, params: { audience: "https://api.example" } }))
    expect(new URLSearchParams(fake.requests[0]?.text).get("audience")).toBe("https://api.example")
    for (const name of ["client_id", "scope", "resource", "client_secret", "Client_Id"]) {
      const value = canary("value")
      const error = await Effect.runPromise(
        Effect.flip(requestDeviceAuthorization({ ...input, params: { [name]: value } })),
      )
      expect(error).toMatchObject({ kind: "refused", code: "reserved_parameter" })
      new CanaryScanner([value]).expectNone(error, "the refusal")
    }
    expect(fake.requests).toHaveLength(1)
  })

  it("gives what the person is shown, and the device code wrapped", async () => {
    const deviceCode = canary("device code")
    const before = Date.now()
    const device = await answered({ ...good, device_code: deviceCode, interval: 7 })
    expect(device).toMatchObject({
      userCode: "WDJB-MJHT",
      verificationUri: "https://as.example/device",
      verificationUriComplete: null,
      interval: 7,
    })
    expect(device.expiresAt).toBeGreaterThanOrEqual(before + 1_800_000)
    expect(device.expiresAt).toBeLessThanOrEqual(Date.now() + 1_800_000)
    expect(Redacted.value(device.deviceCode)).toBe(deviceCode)
    new CanaryScanner([deviceCode]).expectNone(device, "the device authorization")
  })

  it.each([
    [undefined, 5],
    [null, 5],
    [0, 5],
    [-1, 5],
    ["soon", 5],
    ["", 5],
    ["10", 10],
    [1.5, 2],
    [0.001, 1],
    [1e300, 3600],
  ])("reads the interval %j as %d seconds", async (interval, seconds) => {
    expect((await answered({ ...good, interval })).interval).toBe(seconds)
  })

  it("does not believe an absurd lifetime", async () => {
    expect((await answered({ ...good, expires_in: 1e300 })).expiresAt).toBeLessThanOrEqual(Date.now() + 24 * 3_600_000)
    expect((await answered({ ...good, expires_in: "600" })).expiresAt).toBeLessThanOrEqual(Date.now() + 600_000)
  })

  it("knows the page's address by the name that it had in the drafts", async () => {
    const { verification_uri, ...rest } = good
    expect((await answered({ ...rest, verification_url: verification_uri })).verificationUri).toBe(verification_uri)
  })

  it("shows international hosts in their ASCII form", async () => {
    const device = await answered({ ...good, verification_uri: "https://gооgle.example/device" })
    expect(device.verificationUri).toBe("https://xn--ggle-55da.example/device")
  })

  it("allows plain http on this machine", async () => {
    const verification_uri = "http://127.0.0.1:9000/device"
    const device = await answered({ ...good, verification_uri, verification_uri_complete: `${verification_uri}?c=1` })
    expect(device.verificationUri).toBe(verification_uri)
    expect(device.verificationUriComplete).toBe(`${verification_uri}?c=1`)
  })

  it.each([
    "http://as.example/device",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "https://as.example@evil.example/",
    "https://as.exa\u0009mple/device",
    "https://as.example/device\u202e",
    "as.example/device",
    "/device",
  ])("does not show a person the address %j, alone or with the code in it", async (uri) => {
    for (const unsafe of [{ verification_uri: uri }, { verification_uri_complete: uri }]) {
      expect(await refusedAnswer({ ...good, ...unsafe })).toMatchObject({
        kind: "refused",
        code: "unsafe_device_response",
      })
    }
  })

  it.each(["AB\nCD", "AB\u001b[2JCD", "AB\u0000", "\u202eDCBA", "AB\u200bCD", "AB\u2028CD", "A".repeat(129)])(
    "does not show a person the code %j",
    async (user_code) => {
      expect(await refusedAnswer({ ...good, user_code })).toMatchObject({
        kind: "refused",
        code: "unsafe_device_response",
      })
    },
  )

  it("shows any other code as it is spelled", async () => {
    for (const user_code of ["wdjb-mjht", "123 456", "é€", "<b>"]) {
      expect((await answered({ ...good, user_code })).userCode).toBe(user_code)
    }
  })

  it.each([
    ["no device code", { device_code: undefined }],
    ["an empty device code", { device_code: "" }],
    ["no user code", { user_code: undefined }],
    ["an empty user code", { user_code: "" }],
    ["no address", { verification_uri: undefined }],
    ["an address that is no text", { verification_uri: 7 }],
    ["no lifetime", { expires_in: undefined }],
    ["a lifetime of nothing", { expires_in: -1 }],
  ])("fails for an answer with %s, and shows nothing of it", async (_, part) => {
    const [deviceCode, userCode] = [canary("device code"), canary("user code")]
    const error = await refusedAnswer({ ...good, device_code: deviceCode, user_code: userCode, ...part })
    expect(error).toMatchObject({ kind: "ambiguous", code: "invalid_response" })
    new CanaryScanner([deviceCode, userCode]).expectNone(error, "the error")
  })

  it.each([
    [
      { status: 400, json: { error: "invalid_scope" } },
      { kind: "request_rejected", code: "invalid_scope", status: 400 },
    ],
    [
      { status: 401, json: { error: "invalid_client" } },
      { kind: "client_rejected", code: "invalid_client" },
    ],
    [
      { status: 200, json: { error: "unauthorized_client" } },
      { kind: "client_rejected", code: "unauthorized_client" },
    ],
    [
      { status: 503, headers: { "retry-after": "7" } },
      { kind: "transient", retryAfterMs: 7000 },
    ],
    [{ redirect: "https://evil.example/" }, { status: 302 }],
    [{ status: 200, body: "<html>" }, { kind: "ambiguous" }],
    [{ fault: "reset" }, {}],
    [{ fault: "truncate" }, { kind: "ambiguous" }],
  ] as const)("is told apart when it fails: %j", async (answer, expected) => {
    const secret = canary("client secret")
    const error = await refusal({ "POST /device": answer }, { client: confidentialClient(secret) })
    expect(error).toMatchObject({ _tag: "TokenRequestError", ...expected })
    new CanaryScanner([secret]).expectNone(error, "the error")
  })

  it("is not sent where the server has no endpoint for it, or none to trust", async () => {
    for (const [deviceAuthorizationUrl, code] of [
      [null, "device_endpoint_missing"],
      ["http://as.example/device", "insecure_endpoint"],
      ["javascript:1", "insecure_endpoint"],
    ] as const) {
      const error = await refusal({}, { http: unreachable, server: server({ deviceAuthorizationUrl }) })
      expect(error).toMatchObject({ kind: "refused", code })
    }
  })
})

const failed = (kind: TokenRequestError["kind"], code: string, retryAfterMs?: number): TokenRequestError =>
  new TokenRequestError({ kind, code, host: "as.example", ...(retryAfterMs !== undefined && { retryAfterMs }) })

describe("the next poll", () => {
  const now = 1_000_000

  it("waits for the interval while the person has not answered", () => {
    expect(nextPoll({ interval: 5 }, "pending", now)).toEqual({ interval: 5, nextPollAt: now + 5000 })
    const pending = failed("pending", "authorization_pending")
    expect(nextPoll({ interval: 7 }, pending, now)).toEqual({ interval: 7, nextPollAt: now + 7000 })
  })

  it("waits five seconds more after each slow_down, and never less again", () => {
    const first = nextPoll({ interval: 5 }, failed("pending", "slow_down"), now)
    expect(first).toEqual({ interval: 10, nextPollAt: now + 10_000 })
    const second = nextPoll(first, failed("pending", "slow_down"), now)
    expect(second).toEqual({ interval: 15, nextPollAt: now + 15_000 })
    expect(nextPoll(second, "pending", now).interval).toBe(15)
  })

  it.each(["ambiguous", "not_sent", "transient"] as const)(
    "doubles the interval up to a minute when it was %s",
    (kind) => {
      const intervals = [5]
      for (let polls = 0; polls < 6; polls++) {
        intervals.push(nextPoll({ interval: intervals.at(-1) ?? 0 }, failed(kind, "timeout"), now).interval)
      }
      expect(intervals).toEqual([5, 10, 20, 40, 60, 60, 60])
      expect(nextPoll({ interval: 90 }, failed(kind, "timeout"), now).interval).toBe(90)
    },
  )

  it("obeys Retry-After where it is longer, this once", () => {
    expect(nextPoll({ interval: 5 }, failed("transient", "http_503", 42_000), now)).toEqual({
      interval: 10,
      nextPollAt: now + 42_000,
    })
    expect(nextPoll({ interval: 5 }, failed("transient", "http_503", 1), now).nextPollAt).toBe(now + 10_000)
    expect(nextPoll({ interval: 5 }, failed("pending", "slow_down", 30_000), now)).toEqual({
      interval: 10,
      nextPollAt: now + 30_000,
    })
  })

  it("never comes sooner than the interval, whatever happened", () => {
    const failures = fc.constantFrom<TokenRequestError | "pending">(
      "pending",
      failed("pending", "slow_down"),
      failed("transient", "http_500", 0),
      failed("ambiguous", "timeout"),
      failed("request_rejected", "invalid_request"),
    )
    fc.assert(
      fc.property(fc.array(failures), fc.integer({ min: 1, max: 100 }), (sequence, start) => {
        let interval = start
        for (const failure of sequence) {
          const next = nextPoll({ interval }, failure, now)
          expect(next.interval).toBeGreaterThanOrEqual(interval)
          expect(next.nextPollAt).toBeGreaterThanOrEqual(now + next.interval * 1000)
          interval = next.interval
        }
      }),
    )
  })
})
