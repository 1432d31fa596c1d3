import { describe, expect, it } from "vitest"
import { ConnectionCredentialError } from "../../../../src/connection/ConnectionError.ts"
import { CoolDowns } from "../../../../src/executor/oauth/refresh/CoolDowns.ts"

const error = (reason: string): ConnectionCredentialError =>
  new ConnectionCredentialError({
    code: "oauth_refresh_failed",
    connection: "tools.acme.org.main",
    reason,
    nextStep: "Try again later.",
    retryable: true,
    authRequired: false,
  })

describe("CoolDowns", () => {
  it("stands for its time, then no more", () => {
    const coolDowns = new CoolDowns()
    coolDowns.begin("a", 1000, 500, error("down"))
    expect(coolDowns.standing("a", 1499)).toEqual({ error: error("down"), remainingMs: 1 })
    expect(coolDowns.standing("a", 1500)).toBeUndefined()
  })

  it("ends when the clock is set back to before it began", () => {
    const coolDowns = new CoolDowns()
    coolDowns.begin("a", 1000, 500, error("down"))
    expect(coolDowns.standing("a", 999)).toBeUndefined()
  })

  it("is each connection's own", () => {
    const coolDowns = new CoolDowns()
    coolDowns.begin("a", 1000, 500, error("down"))
    expect(coolDowns.standing("b", 1001)).toBeUndefined()
  })

  it("grows with each failure in a row up to a minute or so, and begins anew after a success", () => {
    const coolDowns = new CoolDowns()
    const lengths: Array<number> = []
    for (let failure = 0; failure < 12; failure += 1) {
      const length = coolDowns.nextMs("a", undefined)
      lengths.push(length)
      coolDowns.begin("a", 0, length, error("down"))
    }
    expect(lengths[0]).toBeLessThanOrEqual(1250)
    expect(lengths.at(-1)).toBeGreaterThanOrEqual(45_000)
    expect(Math.max(...lengths)).toBeLessThanOrEqual(75_000)
    coolDowns.end("a")
    expect(coolDowns.nextMs("a", undefined)).toBeLessThanOrEqual(1250)
  })

  it("is as long as the server asked for", () => {
    expect(new CoolDowns().nextMs("a", 120_000)).toBe(120_000)
  })

  it("forgets the oldest of more than ten thousand", () => {
    const coolDowns = new CoolDowns()
    for (let index = 0; index <= 10_000; index += 1) coolDowns.begin(String(index), 0, 1000, error("down"))
    expect(coolDowns.standing("0", 1)).toBeUndefined()
    expect(coolDowns.standing("1", 1)).toBeDefined()
  })
})
