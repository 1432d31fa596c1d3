import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { decide, type DefaultPolicy } from "../../src/policy/decide.ts"
import { type PolicyAction, policyActions } from "../../src/policy/Policy.ts"
import type { ToolAnnotations } from "../../src/tool/Tool.ts"
import { naiveFirst, places, rule, ruleLists } from "./rules.ts"

const main = { integration: "github", owner: "org", name: "main" } as const
const none = { organisation: [], user: [] }
const strictness = (action: PolicyAction): number => policyActions.indexOf(action)
const strictest = (...actions: ReadonlyArray<PolicyAction>): PolicyAction =>
  actions.reduce((one, other) => (strictness(one) >= strictness(other) ? one : other))

describe("without a rule", () => {
  it.each<[ToolAnnotations | undefined, boolean | undefined, PolicyAction, string]>([
    [undefined, undefined, "require_approval", "unknown_effect"],
    [{}, undefined, "require_approval", "unknown_effect"],
    [{ readOnlyHint: false }, undefined, "require_approval", "unknown_effect"],
    [{ idempotentHint: true }, false, "require_approval", "unknown_effect"],
    [{ readOnlyHint: true }, undefined, "approve", "read_only"],
    [{ readOnlyHint: true, destructiveHint: true }, undefined, "approve", "read_only"],
    [{ readOnlyHint: false, destructiveHint: false }, undefined, "approve", "not_destructive"],
    [{ destructiveHint: false }, undefined, "approve", "not_destructive"],
    [{ destructiveHint: true }, undefined, "require_approval", "destructive"],
    [{ readOnlyHint: false, destructiveHint: true }, undefined, "require_approval", "destructive"],
    [{ readOnlyHint: true }, true, "require_approval", "requires_approval"],
    [{ destructiveHint: false }, true, "require_approval", "requires_approval"],
  ])("annotations %j with requiresApproval %j decide %s: %s", (annotations, requiresApproval, action, reason) => {
    expect(decide(none, main, { name: "x", annotations, requiresApproval }, "annotations")).toEqual({
      action,
      rules: [],
      reason,
    })
  })

  it.each(policyActions)("the host's default %s decides, whatever the tool says", (action) => {
    const tool = { name: "x", annotations: { readOnlyHint: true } }
    expect(decide(none, main, tool, action)).toEqual({ action, rules: [], reason: "default_policy" })
  })
})

describe("rules of the organisation and of a user", () => {
  const options = [undefined, ...policyActions] as const
  const cases = options.flatMap((org) =>
    options.flatMap((user) =>
      (["annotations", ...policyActions] as const).map((fallback) => [org, user, fallback] as const),
    ),
  )
  it.each(cases)("organisation %s, user %s, default %s: the most restrictive", (org, user, fallback) => {
    const rules = {
      organisation: org === undefined ? [] : [rule("*", { id: "org", action: org })],
      user: user === undefined ? [] : [rule("*", { id: "user", owner: "user", subject: "alice", action: user })],
    }
    const decision = decide(rules, main, { name: "x" }, fallback)
    const organisation = org ?? (fallback === "annotations" ? undefined : fallback)
    const said = [organisation, user].filter((action) => action !== undefined)
    expect(decision.action).toBe(said.length === 0 ? "require_approval" : strictest(...said))
    const deciding = [...(org === decision.action ? ["org"] : []), ...(user === decision.action ? ["user"] : [])]
    expect(decision.rules.map(({ id }) => id)).toEqual(deciding)
    expect(decision.reason === undefined).toBe(deciding.length > 0)
  })

  it("let a user tighten and never loosen what the organisation or the host said, whatever the rules", () => {
    fc.assert(
      fc.property(
        ruleLists,
        ruleLists,
        places,
        fc.constantFrom<DefaultPolicy>("annotations", ...policyActions),
        (organisation, user, { connection, tool }, fallback) => {
          const { action } = decide({ organisation, user }, connection, { name: tool }, fallback)
          const org =
            naiveFirst(organisation, connection, tool)?.action ?? (fallback === "annotations" ? undefined : fallback)
          const own = naiveFirst(user, connection, tool)?.action
          if (org !== undefined) expect(strictness(action)).toBeGreaterThanOrEqual(strictness(org))
          if (own !== undefined) expect(strictness(action)).toBeGreaterThanOrEqual(strictness(own))
          const said = [org, own].filter((one) => one !== undefined)
          expect(action).toBe(said.length === 0 ? "require_approval" : strictest(...said))
        },
      ),
      { numRuns: 500 },
    )
  })
})
