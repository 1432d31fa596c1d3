/** Reading `WWW-Authenticate`, from servers that mean well and from one that does not. */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { challengeParameter, mostChallengeCharacters, parseChallenges } from "../../src/oauth/Challenge.ts"

const plain = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])

describe("a challenge", () => {
  it.each([
    ["Bearer", [["bearer", {}]]],
    ['Bearer realm="api"', [["bearer", { realm: "api" }]]],
    [
      'Bearer resource_metadata="https://rs.example/.well-known/oauth-protected-resource", scope="a b"',
      [["bearer", { resource_metadata: "https://rs.example/.well-known/oauth-protected-resource", scope: "a b" }]],
    ],
    [
      'bEARER Error="invalid_token" , ERROR_description = "a, b=c \\"d\\" \\\\"',
      [["bearer", { error: "invalid_token", error_description: 'a, b=c "d" \\' }]],
    ],
    [
      'Bearer error=invalid_token, DPoP algs="ES256 PS256"',
      [
        ["bearer", { error: "invalid_token" }],
        ["dpop", { algs: "ES256 PS256" }],
      ],
    ],
    [
      'Negotiate, Basic realm="x"',
      [
        ["negotiate", {}],
        ["basic", { realm: "x" }],
      ],
    ],
    [
      'Negotiate YII+/9w==, Bearer scope="a"',
      [
        ["negotiate", {}],
        ["bearer", { scope: "a" }],
      ],
    ],
    ['Bearer error="x" error_description="no comma"', [["bearer", { error: "x", error_description: "no comma" }]]],
    [
      "Bearer resource_metadata=https://rs.example/m?a=b, scope=read",
      [["bearer", { resource_metadata: "https://rs.example/m?a=b", scope: "read" }]],
    ],
    [', ,Bearer ,realm="x",,', [["bearer", { realm: "x" }]]],
    ['Bearer scope="first", scope="second"', [["bearer", { scope: "first" }]]],
    [
      'Bearer __proto__="x", constructor="y"',
      [
        [
          "bearer",
          Object.fromEntries([
            ["__proto__", "x"],
            ["constructor", "y"],
          ]),
        ],
      ],
    ],
    ["", []],
    ['"Bearer"', []],
    ['realm="no scheme"', []],
    ['Bearer realm="a", error="unterminated', [["bearer", { realm: "a" }]]],
    ['Bearer realm="a", {}, error="b"', [["bearer", { realm: "a" }]]],
  ] satisfies ReadonlyArray<[string, ReadonlyArray<unknown>]>)("reads %j", (header, challenges) => {
    expect(plain(header)).toEqual(challenges)
  })

  const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/)
  const challenge = fc.record({
    scheme: name,
    parameters: fc.uniqueArray(fc.tuple(name, fc.string({ unit: "binary" })), { selector: ([key]) => key }),
  })
  const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`

  it("is read as it was written, whatever its values hold", () => {
    fc.assert(
      fc.property(fc.array(challenge, { maxLength: 5 }), (challenges) => {
        const header = challenges
          .map(({ scheme, parameters }) =>
            `${scheme} ${parameters.map(([key, value]) => `${key}=${quoted(value)}`).join(", ")}`.trim(),
          )
          .join(", ")
        fc.pre(header.length <= mostChallengeCharacters)
        expect(
          parseChallenges(header).map(({ scheme, parameters }) => ({ scheme, parameters: [...parameters] })),
        ).toEqual(challenges)
      }),
    )
  })

  it("is never a reason to throw", () => {
    const piece = fc.oneof(fc.constantFrom('"', "\\", "=", ",", " ", "\t", "Bearer", "a=b", 'x="'), fc.string())
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 200 }), (pieces) => {
        expect(Array.isArray(parseChallenges(pieces.join("")))).toBe(true)
      }),
    )
  })
})

describe("a hostile header of 16 KB", () => {
  const fill = (piece: string, before = "", after = ""): string => {
    const room = mostChallengeCharacters - before.length - after.length
    return before + piece.repeat(Math.floor(room / piece.length)) + after
  }

  // Each ends at once; with a pattern that backtracks over its own work, one of them would outlast the limit of a test.
  it.each([
    ["spaces", fill(" ", "Bearer"), 1],
    ["spaces after a name", fill(" ", "Bearer a", "x"), 2],
    ["an unterminated quote", fill("x", 'Bearer a="'), 1],
    ["backslashes", fill("\\", 'Bearer a="'), 1],
    ["escapes", fill("\\a", 'Bearer a="'), 1],
    ["quotes", fill('"', "Bearer "), 1],
    ["equals signs", fill("=", "Bearer a", "!"), 1],
    ["a long word", fill("a", "Bearer ", '"'), 2],
    ["a long word and equals signs", fill("a=", "Bearer "), 1],
    ["commas", fill(",", "Bearer "), 1],
    ["commas and spaces", fill(", ", "Bearer "), 1],
    ["schemes", fill("a,"), 8192],
    ["parameters", fill("a=b,", "Bearer "), 1],
    ["words with spaces", fill("a   ", "Bearer "), 4094],
  ] as const)("of %s is read", (_, header, count) => {
    const challenges = parseChallenges(header)
    expect(challenges.length).toBe(count)
    expect(challengeParameter(challenges, "resource_metadata")).toBeUndefined()
  })

  it("is the longest that is read", () => {
    const header = fill("x", 'Bearer scope="', '"')
    expect(challengeParameter(parseChallenges(header), "scope")).toMatch(/^x+$/)
    expect(parseChallenges(`${header} `)).toEqual([])
  })
})

it("takes parameters from Bearer and DPoP challenges only", () => {
  const header = 'Basic scope="no", DPoP algs="ES256", scope="yes", Bearer scope="late"'
  expect(challengeParameter(parseChallenges(header), "scope")).toBe("yes")
  expect(challengeParameter(parseChallenges('Basic scope="no"'), "scope")).toBeUndefined()
})
