/**
 * Whose account a call runs as: every mode, with every override, with and without a subject, over every set of connections, held
 * against an oracle of a few lines; and what the service at the other end really got.
 */
import {
  IdentityConflictError,
  type IdentityMode,
  IdentityModeError,
  SubjectRequiredError,
  ToolNotFoundError,
  type ToolResult,
} from "@keyward/core"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  failureOf,
  received,
  rejectionOf,
  type Run,
  setStage,
  type Stage,
  type StageOptions,
  templates,
  toJson,
} from "./acme.ts"

/** A stage on which nobody has to be asked. */
const setOpenStage = ({ config, ...options }: StageOptions = {}): Promise<Stage> =>
  setStage({ ...options, config: { onElicitation: "accept-all", ...config } })

const whoami: Run = ({ fetch }) => fetch("/").then(toJson)

const modes = ["admin", "shared", "per_user", "either"] as const
const overrides = [undefined, "org", "user"] as const
const subjects = [null, "alice", "bob"] as const
/** Which connections there are, by the credential that each sends. */
const populations = {
  none: [],
  "the organisation's": ["org"],
  "alice's": ["alice"],
  both: ["org", "alice"],
  "two of the organisation's and one of alice's": ["org", "org2", "alice"],
  "two of alice's": ["org", "alice", "alice2"],
} as const
type Population = keyof typeof populations

interface Case {
  readonly mode: IdentityMode
  readonly override: "org" | "user" | undefined
  readonly subject: string | null
  readonly population: Population
}

/** What must come of it: an error's name, a result's code, or the one credential that arrives. */
const oracle = ({ mode, override, subject, population }: Case): string => {
  const allowed = { admin: ["org"], shared: ["org"], per_user: ["user"], either: ["org", "user"] }[mode]
  if (override !== undefined && !allowed.includes(override)) return "IdentityModeError"
  const preferred = subject === null ? ["org", "user"] : ["user", "org"]
  const owner = override ?? preferred.find((one) => allowed.includes(one))
  if (owner === "user" && subject === null) return "SubjectRequiredError"
  const whose = owner === "org" ? "org" : (subject ?? "")
  const fitting = populations[population].filter((name) => name.replace("2", "") === whose)
  if (fitting.length === 0) return "connection_required"
  return fitting.length > 1 ? "ambiguous_account" : `Bearer token-of-${fitting[0] ?? ""}`
}

const cases: ReadonlyArray<Case> = modes.flatMap((mode) =>
  overrides.flatMap((override) =>
    subjects.flatMap((subject) =>
      (Object.keys(populations) as Array<Population>).map((population) => ({ mode, override, subject, population })),
    ),
  ),
)

/** What came of a call: what the service got last, where it was asked. Results hold no credential, not even an echo of one. */
const outcomeOf = async ({ upstream }: Pick<Stage, "upstream">, call: Promise<ToolResult>): Promise<string> => {
  try {
    const result = await call
    const last = upstream.requests.at(-1)
    return result.ok ? String(last && received(last).authorization) : result.error.code
  } catch (error) {
    return (error as { readonly _tag: string })._tag
  }
}

describe("the account of a call", () => {
  const slugOf = (mode: IdentityMode, population: Population): string =>
    `${mode}_${Object.keys(populations).indexOf(population)}`

  const setTable = async (): Promise<Stage> => {
    const stage = await setOpenStage({ tools: { whoami } })
    const { executor, upstream } = stage
    for (const mode of modes) {
      for (const population of Object.keys(populations) as Array<Population>) {
        const integration = slugOf(mode, population)
        await executor.acme.add({
          slug: integration,
          baseUrl: upstream.origin,
          authTemplates: templates,
          identityMode: mode,
        })
        for (const name of populations[population]) {
          const owner = name.startsWith("org") ? "org" : "user"
          await executor
            .withIdentity({ subject: "alice" })
            .connections.create({ owner, integration, name, template: "bearer", value: `token-of-${name}` })
        }
      }
    }
    return stage
  }

  it("is the one that the table says, for each of its cases and each way to call", async () => {
    const { executor, upstream } = await setTable()
    for (const each of cases) {
      const { mode, override, subject, population } = each
      const caller = executor.withIdentity({ subject })
      const integration = slugOf(mode, population)
      const args = override === undefined ? {} : { _identity: override }
      const ways: ReadonlyArray<[string, () => Promise<ToolResult>]> = [
        ["call with the option", () => caller.call(integration, "whoami", {}, { identity: override })],
        ["call with the argument", () => caller.call(integration, "whoami", args)],
        ["a short address", () => caller.execute(`tools.${integration}.whoami`, args)],
      ]
      for (const [way, call] of ways) {
        const before = upstream.requests.length
        const outcome = await outcomeOf({ upstream }, call())
        const expected = oracle(each)
        expect(outcome, `${way} in ${JSON.stringify(each)}`).toBe(expected)
        const arrived = upstream.requests.slice(before).map((request) => received(request).authorization)
        expect(arrived, `what arrived after ${way} in ${JSON.stringify(each)}`).toEqual(
          expected.startsWith("Bearer") ? [expected] : [],
        )
      }
    }
    expect(cases).toHaveLength(216)
  })

  it.each([
    ["admin", null, "org", "org", "Bearer token-of-org"],
    ["admin", "alice", "org", "org", "Bearer token-of-org"],
    ["admin", "alice", "user", "alice", "IdentityModeError"],
    ["shared", "alice", "org", "org", "Bearer token-of-org"],
    ["shared", "alice", "user", "alice", "IdentityModeError"],
    ["per_user", null, "org", "org", "IdentityModeError"],
    ["per_user", "alice", "org", "org", "IdentityModeError"],
    ["per_user", "alice", "user", "alice", "Bearer token-of-alice"],
    ["per_user", null, "user", "alice", "ConnectionNotFoundError"],
    ["per_user", "bob", "user", "alice", "ConnectionNotFoundError"],
    ["either", null, "org", "org", "Bearer token-of-org"],
    ["either", "alice", "org", "org", "Bearer token-of-org"],
    ["either", "alice", "user", "alice", "Bearer token-of-alice"],
  ] as const)(
    "under %s for the subject %j at a full address of %s.%s comes to %s",
    async (mode, subject, owner, name, expected) => {
      const stage = await setTable()
      const caller = stage.executor.withIdentity({ subject })
      const address = `tools.${slugOf(mode, "both")}.${owner}.${name}.whoami`
      expect(await outcomeOf(stage, caller.execute(address))).toBe(expected)
      expect(await outcomeOf(stage, caller.execute(address, { _identity: owner }))).toBe(expected)
      const isPinned = expected === "IdentityModeError" || mode !== "either"
      const other = owner === "org" ? "user" : "org"
      const contradicted =
        expected === "ConnectionNotFoundError" ? expected : isPinned ? "IdentityModeError" : "IdentityConflictError"
      expect(await outcomeOf(stage, caller.execute(address, { _identity: other }))).toBe(contradicted)
    },
  )

  it("lists no tool of a connection that the mode does not allow, nor shows its schema, nor sends anything as it", async () => {
    const stage = await setTable()
    const alice = stage.executor.withIdentity({ subject: "alice" })
    for (const mode of modes) {
      const integration = slugOf(mode, "both")
      const listed = (await alice.tools.list({ integration })).map(({ address }) => address)
      const callable = []
      for (const name of ["org.org", "user.alice"]) {
        const address = `tools.${integration}.${name}.whoami`
        if ((await outcomeOf(stage, alice.execute(address))).startsWith("Bearer")) callable.push(address)
        expect((await alice.tools.schema(address)) !== null).toBe(callable.includes(address))
        const [owner, connection] = name.split(".") as ["org" | "user", string]
        const sent = alice.connections.fetch({ owner, integration, name: connection })("/")
        if (callable.includes(address)) expect((await sent).ok).toBe(true)
        else await expect(sent).rejects.toMatchObject({ _tag: "IdentityModeError", asked: owner })
      }
      expect(listed).toEqual(callable)
    }
  })

  it("is never one that the mode, the subject or the override rule out, whatever is changed in between", async () => {
    const { executor, upstream } = await setOpenStage({ tools: { whoami } })
    const change = fc.record({
      mode: fc.constantFrom(...modes),
      override: fc.constantFrom(...overrides),
      subject: fc.constantFrom(...subjects),
      connect: fc.option(fc.tuple(fc.constantFrom("org", "alice", "bob"), fc.boolean()), { nil: undefined }),
      mark: fc.boolean(),
    })
    let runs = 0
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 12 }), async (changes) => {
        const integration = `random_${(runs += 1)}`
        await executor.acme.add({ slug: integration, baseUrl: upstream.origin, authTemplates: templates })
        const there = new Map(["org", "alice", "bob"].map((one) => [one, new Set<string>()] as const))
        const defaults = new Map<string, string>()
        for (const { mode, override, subject, connect, mark } of changes) {
          await executor.integrations.setIdentityMode(integration, mode)
          if (connect !== undefined) {
            const [whose, isSecond] = connect
            const names = there.get(whose) ?? new Set()
            const name = isSecond ? "second" : "first"
            const ref = { owner: whose === "org" ? "org" : "user", integration, name } as const
            const owner = executor.withIdentity({ subject: whose === "org" ? null : whose })
            if (names.has(name)) {
              await owner.connections.remove(ref)
              names.delete(name)
              if (defaults.get(whose) === name) defaults.delete(whose)
            } else {
              await owner.connections.create({ ...ref, template: "bearer", value: `${whose}-${name}` })
              names.add(name)
              if (mark) {
                await owner.connections.setDefault(ref)
                defaults.set(whose, name)
              }
            }
          }
          const outcome = await outcomeOf(
            { upstream },
            executor.withIdentity({ subject }).call(integration, "whoami", {}, { identity: override }),
          )
          expect(outcome).toBe(expectedOf({ mode, override, subject }, there, defaults))
        }
      }),
      { numRuns: 40 },
    )
  })
})

/** The oracle over any set of connections. */
const expectedOf = (
  { mode, override, subject }: Omit<Case, "population">,
  there: ReadonlyMap<string, ReadonlySet<string>>,
  defaults: ReadonlyMap<string, string>,
): string => {
  if ((mode === "admin" || mode === "shared") && override === "user") return "IdentityModeError"
  if (mode === "per_user" && override === "org") return "IdentityModeError"
  const isUser =
    override === "user" || mode === "per_user" || (mode === "either" && override === undefined && subject !== null)
  if (isUser && subject === null) return "SubjectRequiredError"
  const whose = isUser ? (subject ?? "") : "org"
  const names = [...(there.get(whose) ?? [])]
  const name = defaults.get(whose) ?? (names.length === 1 ? names[0] : undefined)
  if (name !== undefined) return `Bearer ${whose}-${name}`
  return names.length === 0 ? "connection_required" : "ambiguous_account"
}

describe("the reserved argument", () => {
  const seen = async () => {
    const calls: Array<unknown> = []
    const stage = await setOpenStage({ tools: { call: ({ args }) => (calls.push(args), "done") } })
    const alice = stage.executor.withIdentity({ subject: "alice" })
    for (const owner of ["org", "user"] as const) {
      await alice.connections.create({ owner, integration: "api", name: "main", template: "bearer", value: owner })
    }
    return { ...stage, alice, calls }
  }

  it("never reaches the plugin, whatever the mode and the way to call, and leaves what was passed as it is", async () => {
    const { executor, alice, calls } = await seen()
    const args = { _identity: "org", a: 1 }
    for (const mode of ["either", "shared", "admin"] as const) {
      await executor.integrations.setIdentityMode("api", mode)
      await alice.call("api", "call", args)
      await alice.execute("tools.api.call", args)
      await alice.execute("tools.api.org.main.call", args)
    }
    await executor.integrations.setIdentityMode("api", "per_user")
    await alice.execute("tools.api.user.main.call", { _identity: "user", a: 1 })
    await alice.execute("tools.api.user.main.call", { _identity: undefined, a: 1 })
    expect(calls).toEqual(Array.from({ length: 11 }, () => ({ a: 1 })))
    expect(args).toEqual({ _identity: "org", a: 1 })
  })

  it.each([["admin"], [1], [null], [["org"]], ["__proto__"]])(
    "is refused as an argument when it is %j",
    async (given) => {
      const { alice, calls } = await seen()
      for (const result of [
        await alice.call("api", "call", { _identity: given }),
        await alice.execute("tools.api.user.main.call", { _identity: given }),
      ]) {
        expect(failureOf(result)).toMatchObject({
          code: "invalid_arguments",
          details: { issues: [{ path: "/_identity", expected: 'must be "org" or "user"' }] },
        })
      }
      expect(calls).toEqual([])
    },
  )

  it("contradicts an option of the call, and the call is refused", async () => {
    const { alice, events } = await seen()
    const error = await rejectionOf(alice.call("api", "call", { _identity: "user" }, { identity: "org" }))
    expect(error).toBeInstanceOf(IdentityConflictError)
    expect(error).toMatchObject({ integration: "api", asked: "user", contradicts: "identity", httpStatus: 400 })
    expect(events.at(-1)).toMatchObject({ type: "account.not_selected", code: "IdentityConflictError", tool: "call" })
  })

  it("is in the schema of a short address exactly while the mode leaves the choice", async () => {
    const { executor, alice } = await seen()
    const schema = async (address: string) => (await alice.tools.schema(address))?.inputSchema
    expect(await schema("tools.api.call")).toMatchObject({ properties: { _identity: { enum: ["org", "user"] } } })
    expect(JSON.stringify(await schema("tools.api.user.main.call"))).not.toContain("_identity")
    for (const mode of ["admin", "shared", "per_user"] as const) {
      await executor.integrations.setIdentityMode("api", mode)
      expect(JSON.stringify(await schema("tools.api.call"))).not.toContain("_identity")
    }
  })
})

describe("a refusal", () => {
  it("says what the mode allows and who can change it, and the host is told", async () => {
    const { executor, events } = await setOpenStage({ config: { subject: "alice" } })
    await executor.integrations.setIdentityMode("api", "shared")
    const error = await rejectionOf(executor.call("api", "call", {}, { identity: "user" }))
    expect(error).toBeInstanceOf(IdentityModeError)
    expect(error).toMatchObject({ integration: "api", mode: "shared", asked: "user", allowed: "org", httpStatus: 403 })
    expect(error.message).toContain("integrations.setIdentityMode")
    expect(events.at(-1)).toMatchObject({
      type: "account.not_selected",
      integration: "api",
      tool: "call",
      identityMode: "shared",
      override: "user",
      code: "IdentityModeError",
      subject: "alice",
    })
    await executor.integrations.setIdentityMode("api", "per_user")
    const nobody = await rejectionOf(executor.withIdentity({}).call("api", "call"))
    expect(nobody).toBeInstanceOf(SubjectRequiredError)
    expect(nobody).toMatchObject({ integration: "api", mode: "per_user", httpStatus: 401 })
    expect(nobody.message).toContain("withIdentity")
  })

  it("is one of options that cannot mean anything", async () => {
    const { executor } = await setOpenStage()
    expect(await rejectionOf(executor.call("api", "call", {}, { identity: "admin" as "org" }))).toMatchObject({
      field: "identity",
    })
    for (const account of ["", 1 as unknown as string, null as unknown as string]) {
      expect(await rejectionOf(executor.call("api", "call", {}, { account }))).toMatchObject({ field: "account" })
    }
    expect(await rejectionOf(executor.call("nope", "call"))).toMatchObject({ _tag: "IntegrationNotFoundError" })
    expect(await rejectionOf(executor.execute("tools.nope.call"))).toMatchObject({ _tag: "IntegrationNotFoundError" })
  })
})

describe("a short address", () => {
  it("is never taken for a full one, nor a full one for it", async () => {
    const names = ["call", "issues.list", "org.list", "user.repos.list"]
    const { executor } = await setOpenStage({
      tools: Object.fromEntries(names.map((name) => [name, ({ tool }) => tool.name])),
    })
    await executor.connections.create({ owner: "org", integration: "api", name: "main", template: "none" })
    const dataOf = async (address: string) => {
      const result = await executor.execute(address)
      return result.ok ? result.data : result.error.code
    }
    expect(await dataOf("tools.api.call")).toBe("call")
    expect(await dataOf("tools.api.issues.list")).toBe("issues.list")
    expect(await dataOf("tools.api.org.main.user.repos.list")).toBe("user.repos.list")
    for (const address of ["tools.api.org.list", "tools.api.user.repos.list", "tools.api.org", "tools.api.org.main"]) {
      const error = await rejectionOf(executor.execute(address))
      expect((error as { _tag?: string })._tag).toMatch(/^(ToolNotFoundError|ConnectionNotFoundError)$/)
    }
    expect(await executor.call("api", "org.list")).toMatchObject({ ok: true, data: "org.list" })
    expect(await executor.call("api", "user.repos.list")).toMatchObject({ ok: true, data: "user.repos.list" })
  })

  it("of a tool that is not there suggests short addresses, also before anything is connected", async () => {
    const { executor, events } = await setOpenStage({ tools: { listIssues: () => 1 } })
    const error = await rejectionOf(executor.execute("tools.api.listIssue"))
    expect(error).toBeInstanceOf(ToolNotFoundError)
    expect(error).toMatchObject({ address: "tools.api.listIssue", suggestions: ["tools.api.listIssues"] })
    expect(events).toMatchObject([{ type: "call.refused", tool: "listIssue", outcome: "ToolNotFoundError" }])
    expect(await executor.tools.schema("tools.api.listIssues")).not.toBeNull()
    expect(await executor.tools.schema("tools.api.listIssue")).toBeNull()
    expect(await executor.tools.schema("tools.nope.listIssues")).toBeNull()
  })
})
