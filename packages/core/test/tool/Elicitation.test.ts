/**
 * Questions to a person: only a clear yes is one, and whatever else happens declines.
 */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import {
  elicit,
  ElicitationDeclinedError,
  type ElicitationHandler,
  requireApproval,
} from "../../src/tool/Elicitation.ts"

const question = {
  kind: "approval",
  message: "Delete?",
  tool: "tools.a.org.b.delete",
  args: {},
  arguments: [],
} as const
const ask = (handler: ElicitationHandler | undefined) => Effect.runPromise(elicit(handler, question))
const approve = (handler: ElicitationHandler | undefined, timeoutMs = 1000) =>
  Effect.runPromise(requireApproval(handler, question, timeoutMs))

const odd: ReadonlyArray<readonly [what: string, handler: unknown]> = [
  [
    "throws",
    () => {
      throw new Error("no terminal")
    },
  ],
  ["rejects", () => Promise.reject(new Error("closed"))],
  ["answers nothing", () => undefined],
  ["answers null", () => null],
  ["answers true", () => true],
  ["answers yes", () => ({ action: "yes" })],
  ["answers with the wrong case", () => ({ action: "Accept" })],
  ["answers with a list", () => ({ action: ["accept"] })],
]

describe("elicit", () => {
  it("hands on what the host answered", async () => {
    const asked: Array<unknown> = []
    const answer = { action: "accept", content: { name: "x" } } as const
    expect(
      await ask((request) => {
        asked.push(request)
        return answer
      }),
    ).toBe(answer)
    expect(asked).toEqual([question])
    expect(await ask(async () => ({ action: "cancel" }))).toEqual({ action: "cancel" })
    expect(await ask("accept-all")).toEqual({ action: "accept" })
  })

  it("declines where nobody answers", async () => {
    expect(await ask(undefined)).toEqual({ action: "decline" })
  })

  it.each(odd)("declines where the handler %s", async (_, handler) => {
    expect(await ask(handler as ElicitationHandler)).toEqual({ action: "decline" })
  })
})

describe("requireApproval", () => {
  it("passes on acceptance", async () => {
    await approve("accept-all")
    await approve(() => ({ action: "accept" }))
  })

  it.each(odd)("fails closed where the handler %s", async (_, handler) => {
    await expect(approve(handler as ElicitationHandler)).rejects.toMatchObject({ action: "decline" })
  })

  it.each(["decline", "cancel"] as const)("fails on %s", async (action) => {
    const error: unknown = await approve(() => ({ action })).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ElicitationDeclinedError)
    expect(error).toMatchObject({ action, tool: question.tool, httpStatus: 403 })
  })

  it("fails where there is no handler, or none that ever answers", async () => {
    await expect(approve(undefined)).rejects.toMatchObject({ action: "unanswered" })
    await expect(approve(() => new Promise(() => undefined), 20)).rejects.toMatchObject({ action: "unanswered" })
  })
})
