/**
 * The status in force, and what a host is shown of a row.
 */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type ConnectionRow, joinOrigins, statusInForce, toConnection } from "../../src/connection/Connection.ts"

const row: ConnectionRow = {
  tenant: "acme",
  subject: "alice",
  owner: "user",
  integration: "github",
  name: "main",
  incarnation: "incarnation",
  template: "bearer",
  provider: "memory",
  origin: "minted",
  items: [["token", "acme/alice/connection:user:github:main:token"]],
  confirmedOrigins: "https://a.example https://b.example",
  identityLabel: null,
  description: "for tests",
  expiresAt: null,
  oauthClient: null,
  oauthClientOwner: null,
  oauthScope: null,
  grant: null,
  status: "active",
  statusReason: null,
  version: 3,
}

describe("statusInForce", () => {
  const suspended = { status: "disabled", statusReason: "origins_changed" }
  const active = { status: "active", statusReason: null }

  it("suspends a connection whose integration may send where it was not confirmed for", () => {
    expect(statusInForce(row, "https://c.example")).toEqual(suspended)
    expect(statusInForce(row, "https://a.example https://c.example")).toEqual(suspended)
    expect(statusInForce(row, "https://a.example:8443")).toEqual(suspended)
    expect(statusInForce(row, "http://a.example")).toEqual(suspended)
    expect(statusInForce({ ...row, confirmedOrigins: "" }, "https://a.example")).toEqual(suspended)
  })

  it("keeps one whose integration sends to the same origins, fewer, or none", () => {
    for (const origins of [row.confirmedOrigins, "https://b.example", ""]) {
      expect(statusInForce(row, origins)).toEqual(active)
    }
  })

  it("says first what was decided about the connection itself", () => {
    const disabled = { status: "disabled", statusReason: "disabled_by_host" } as const
    expect(statusInForce({ ...row, ...disabled }, "https://c.example")).toEqual(disabled)
    const expired = { status: "expired", statusReason: null } as const
    expect(statusInForce({ ...row, ...expired }, "https://c.example")).toEqual(expired)
  })

  it("suspends exactly when an origin is new (property)", () => {
    const origins = fc.uniqueArray(fc.constantFrom("https://a.x", "https://a.x:1", "https://b.x", "http://a.x"))
    fc.assert(
      fc.property(origins, origins, (confirmed, now) => {
        const { status } = statusInForce({ ...row, confirmedOrigins: joinOrigins(confirmed) }, joinOrigins(now))
        expect(status === "active").toBe(now.every((origin) => confirmed.includes(origin)))
      }),
    )
  })
})

describe("toConnection", () => {
  it("shows neither items, nor the partition, nor bookkeeping", () => {
    expect(toConnection(row, row.confirmedOrigins)).toEqual({
      owner: "user",
      name: "main",
      integration: "github",
      template: "bearer",
      provider: "memory",
      address: "tools.github.user.main",
      identityLabel: null,
      description: "for tests",
      expiresAt: null,
      oauthClient: null,
      oauthClientOwner: null,
      oauthScope: null,
      status: "active",
      statusReason: null,
    })
  })
})
