import { describe, expect, it } from "vitest"
import { copyArguments } from "../../src/policy/copyArguments.ts"

describe("a copy of arguments", () => {
  it("is equal, kind by kind, and shares nothing with what was passed", () => {
    const args = {
      text: "a",
      big: 1n,
      negativeZero: -0,
      missing: undefined,
      list: [1, [{ deep: true }]],
      holes: Object.assign([1], { 2: 3 }),
      bare: Object.assign(Object.create(null) as object, { a: 1 }),
      when: new Date(0),
      bytes: Uint8Array.of(1, 2),
      buffer: Buffer.from("ab"),
    }
    const taken = copyArguments(args)
    expect(taken?.copy).toStrictEqual(args)
    const copy = taken?.copy as typeof args
    for (const key of ["list", "holes", "bare", "when", "bytes", "buffer"] as const)
      expect(copy[key]).not.toBe(args[key])
    args.list.push(2)
    args.bytes[0] = 9
    args.when.setTime(5)
    expect([copy.list.length, copy.bytes[0], copy.when.getTime()]).toEqual([2, 1, 0])
  })

  it("takes an argument called __proto__ for an argument", () => {
    const copy = copyArguments(JSON.parse('{"__proto__":{"admin":true}}'))?.copy as Record<string, unknown>
    expect(Object.keys(copy)).toEqual(["__proto__"])
    expect(copy["admin"]).toBeUndefined()
  })

  it("is not made of what could change inside or hides its content", () => {
    const cyclic: Record<string, unknown> = {}
    cyclic["self"] = cyclic
    class Named {
      readonly name = "x"
    }
    const refused = [
      () => 1,
      Symbol("s"),
      cyclic,
      new Named(),
      new Map([[1, 2]]),
      new ReadableStream(),
      { [Symbol("s")]: 1 },
      Object.defineProperty({}, "a", { get: () => 1, enumerable: true }),
      Object.defineProperty({}, "a", { value: 1 }),
      Proxy.revocable({}, {}).revoke,
    ]
    for (const [at, value] of refused.entries()) expect(copyArguments({ value }), `value ${at}`).toBeUndefined()
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    expect(copyArguments({ proxy })).toBeUndefined()
  })
})
