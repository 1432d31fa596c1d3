/**
 * How soon streams are opened again, by a clock that is moved by hand.
 */
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest"
import { reconnectionPace } from "../../src/link/reconnectionPace.ts"

beforeEach(() => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
})

/** Ends every stream as soon as it is open; how many were opened within the time. */
const openedWithin = (milliseconds: number, askedMs: number): number => {
  const pace = reconnectionPace()
  let opened = 0
  const again = (): void => void pace(() => ((opened += 1), again()), askedMs, 0)
  again()
  vi.advanceTimersByTime(milliseconds)
  return opened
}

describe("the pace of reconnections", () => {
  it("is what the server asks for, where that is sensible", () => {
    expect(openedWithin(60_000, 5_000)).toBe(12)
  })

  it("slows down for a server that asks for none", () => {
    expect(openedWithin(1_000, 0)).toBe(4)
    expect(openedWithin(60_000, 0)).toBeLessThan(40)
  })

  it("takes no time that no timer can wait for as none at all", () => {
    expect(openedWithin(60_000, 99_999_999_999)).toBe(0)
    expect(openedWithin(300_000, 99_999_999_999)).toBe(1)
  })
})
