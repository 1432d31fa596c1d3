import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { isRefreshDue } from "../../src/connection/ConnectionGrant.ts"

const issuedAt = 1_000_000

describe("isRefreshDue", () => {
  it("is due a minute before an hour's token expires, and not before", () => {
    const expiresAt = issuedAt + 3_600_000
    expect(isRefreshDue(expiresAt, issuedAt, expiresAt - 60_001)).toBe(false)
    expect(isRefreshDue(expiresAt, issuedAt, expiresAt - 60_000)).toBe(true)
  })

  it("leaves a short-lived token nine tenths of its life", () => {
    const expiresAt = issuedAt + 10_000
    expect(isRefreshDue(expiresAt, issuedAt, issuedAt + 8_999)).toBe(false)
    expect(isRefreshDue(expiresAt, issuedAt, issuedAt + 9_000)).toBe(true)
  })

  it("never is for a token whose end is not known", () => {
    expect(isRefreshDue(null, issuedAt, Number.MAX_SAFE_INTEGER)).toBe(false)
  })

  it("always is for one that has expired, whatever the clock was when it was issued", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), fc.nat(), (expiresAt, issued, late) => {
        expect(isRefreshDue(expiresAt, issued, expiresAt + late)).toBe(true)
      }),
    )
  })

  it("is not for one that was issued just now and lives for a while, however short", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 ** 9 }), (lifetime) => {
        expect(isRefreshDue(issuedAt + lifetime, issuedAt, issuedAt)).toBe(false)
      }),
    )
  })
})
