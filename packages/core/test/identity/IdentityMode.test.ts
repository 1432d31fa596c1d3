/** Whose connection a call runs as: every mode, with and without a subject, with every override. */
import { describe, expect, it } from "vitest"
import { isIdentityMode, modeAllows, ownerOfCall } from "../../src/identity/IdentityMode.ts"

describe("the owner of a call", () => {
  it.each([
    ["admin", null, undefined, "org"],
    ["admin", null, "org", "org"],
    ["admin", null, "user", "pinned"],
    ["admin", "alice", undefined, "org"],
    ["admin", "alice", "org", "org"],
    ["admin", "alice", "user", "pinned"],
    ["shared", null, undefined, "org"],
    ["shared", null, "org", "org"],
    ["shared", null, "user", "pinned"],
    ["shared", "alice", undefined, "org"],
    ["shared", "alice", "org", "org"],
    ["shared", "alice", "user", "pinned"],
    ["per_user", null, undefined, "subject_missing"],
    ["per_user", null, "org", "pinned"],
    ["per_user", null, "user", "subject_missing"],
    ["per_user", "alice", undefined, "user"],
    ["per_user", "alice", "org", "pinned"],
    ["per_user", "alice", "user", "user"],
    ["either", null, undefined, "org"],
    ["either", null, "org", "org"],
    ["either", null, "user", "subject_missing"],
    ["either", "alice", undefined, "user"],
    ["either", "alice", "org", "org"],
    ["either", "alice", "user", "user"],
  ] as const)("under %s with the subject %j that asks for %j is %s", (mode, subject, asked, expected) => {
    expect(ownerOfCall(mode, subject, asked)).toBe(expected)
  })

  it("is one that the mode allows to be addressed", () => {
    expect(modeAllows("admin", "org")).toBe(true)
    expect(modeAllows("admin", "user")).toBe(false)
    expect(modeAllows("shared", "user")).toBe(false)
    expect(modeAllows("per_user", "user")).toBe(true)
    expect(modeAllows("per_user", "org")).toBe(false)
    expect(modeAllows("either", "org") && modeAllows("either", "user")).toBe(true)
  })
})

describe("a mode", () => {
  it("is one of four words", () => {
    expect(["admin", "shared", "per_user", "either"].every(isIdentityMode)).toBe(true)
    expect(["", "org", "__proto__", null, undefined, 1].some(isIdentityMode)).toBe(false)
  })
})
