/** What is done while a database does not answer, or cannot be read, without a database: `outage.test.ts` does it with one. */
import { StoreUnavailableError } from "@keyward/core"
import type { StoreOutage } from "@keyward/core/effect"
import { describe, expect, it, onTestFinished, vi } from "vitest"
import { Outage } from "../src/Outage.ts"

const watchedOutage = () => {
  const outage = new Outage()
  const told: Array<StoreOutage> = []
  outage.watch((one) => void told.push(one))
  return { outage, told }
}

const held = { value: "held" }

describe("a read that is not answered", () => {
  it("is waited for, for a second, then goes on with what is held; its late answer ends that", async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const { outage, told } = watchedOutage()
    const reading = Promise.withResolvers<unknown>()
    let answer: unknown
    const bridged = outage.bridge(reading.promise, held).then((value) => (answer = value))
    await vi.advanceTimersByTimeAsync(999)
    expect({ answer, told }).toEqual({ answer: undefined, told: [] })
    await vi.advanceTimersByTimeAsync(1)
    expect({ answer, told }).toEqual({ answer: "held", told: [{ isAway: true, reason: "slow" }] })
    expect(await outage.bridge(new Promise(() => {}), held)).toBe("held")
    reading.resolve("read")
    await bridged
    await vi.waitFor(() => expect(told.at(-1)).toEqual({ isAway: false }))
    expect(told).toHaveLength(2)
  })

  it("is waited for as long as it takes where nothing is held", async () => {
    const { outage, told } = watchedOutage()
    expect(await outage.bridge(Promise.resolve("read"), undefined)).toBe("read")
    const away = new StoreUnavailableError({ operation: "read", reason: "ECONNREFUSED" })
    await expect(outage.bridge(Promise.reject(away), undefined)).rejects.toBe(away)
    expect(told).toEqual([])
  })
})

describe("a read that fails", () => {
  it("goes on with what is held, and the host is told once, however many fail", async () => {
    const { outage, told } = watchedOutage()
    const away = () => Promise.reject(new StoreUnavailableError({ operation: "read", reason: "ECONNREFUSED" }))
    for (let index = 0; index < 3; index++) expect(await outage.bridge(away(), held)).toBe("held")
    expect(told).toEqual([{ isAway: true, reason: "ECONNREFUSED" }])
  })

  it.each(["closed", "schema_newer"])("does not, where the store is not away but %s", async (reason) => {
    const { outage, told } = watchedOutage()
    const failure = new StoreUnavailableError({ operation: "read", reason })
    await expect(outage.bridge(Promise.reject(failure), held)).rejects.toBe(failure)
    expect(told).toEqual([])
  })
})
