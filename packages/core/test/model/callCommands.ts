/** Calls of anything by anybody, in every way: each arrives as the account that the oracle says, or nothing is sent at all. */
import type { ToolResult } from "@keyward/core"
import * as fc from "fast-check"
import { expect } from "vitest"
import type { ModelCaller, ModelShown } from "./AccessModel.ts"
import { addressOf, type CallModel, type ModelRequest, toolNames } from "./CallModel.ts"
import { agentId, command, integration, oneOf, pick, ref, refOf, subject, tenant } from "./command.ts"
import { callerOf, succeeded, type World } from "./world.ts"

const tool = fc.constantFrom(...toolNames)
const identity = fc.option(fc.constantFrom("org" as const, "user" as const), { nil: undefined })

/** Who calls: a user, nobody, or mostly an agent that is there. */
const agentOf = (model: CallModel, drawn: string | null, at: number) => {
  const ids = model.agents.map(({ id }) => id)
  const id = drawn === null ? null : oneOf(ids, drawn, at + 3)
  return { id, agent: id === null ? null : model.agent(id) }
}

/** What a call of a connection's tool has to come to. */
const expectedOf = (
  model: CallModel,
  caller: ModelCaller,
  shown: ModelShown | undefined,
  name: (typeof toolNames)[number],
): { readonly secret: string; readonly asked: number } | undefined =>
  shown !== undefined && !shown.connection.isDisabled && model.mayUse(caller, shown, name)
    ? {
        secret: shown.connection.secret,
        asked: Number(model.decision(caller, shown, name) === "require_approval"),
      }
    : undefined

/** Calls, and holds what came of it against what had to. */
const expectCall = async (
  world: World,
  called: () => Promise<ToolResult>,
  expected: ReturnType<typeof expectedOf>,
): Promise<boolean> => {
  const before = { arrivals: world.arrivals.length, asked: world.asked() }
  const done = await succeeded(called())
  expect(world.arrivals.slice(before.arrivals)).toEqual(expected === undefined ? [] : [expected.secret])
  expect(done?.value.ok ?? false).toBe(expected !== undefined)
  if (expected !== undefined) expect(world.asked() - before.asked, "people asked").toBe(expected.asked)
  return expected !== undefined
}

const callAddress = fc
  .tuple(tenant, subject, fc.option(agentId), ref, tool, identity, pick)
  .map(([inTenant, acting, drawnAgent, drawn, name, asked, at]) =>
    command("callAddress", inTenant, [acting, drawnAgent, drawn, name, asked, at], async (model, as, world) => {
      const { id, agent } = agentOf(model, drawnAgent, at)
      const executor = await callerOf(as(acting), id)
      expect(executor !== undefined).toBe(agent !== undefined)
      if (executor === undefined || agent === undefined) return false
      const caller = { subject: acting, agent }
      const wanted = refOf(model, caller, drawn, at)
      const shown = model.shown(caller).find((one) => addressOf(one) === addressOf(wanted))
      const args = at % 5 === 0 && asked !== undefined ? { _identity: asked } : {}
      const isRefused = "_identity" in args && asked !== wanted.owner
      const expected = isRefused ? undefined : expectedOf(model, caller, shown, name)
      return expectCall(world, () => executor.execute(`${addressOf(wanted)}.${name}`, args), expected)
    }),
  )

const account = fc.option(
  fc.constantFrom(
    "main",
    "second",
    "MAIN",
    "Top",
    "low",
    "api:Top",
    "lentOfAlice",
    "mainOfBob",
    "TopOfBob",
    "tools.api.org.main",
    "tools.api.user.main",
  ),
  { nil: undefined },
)

const callSelected = fc
  .tuple(tenant, subject, fc.option(agentId), integration, tool, identity, account, pick)
  .map(([inTenant, acting, drawnAgent, slug, name, asked, wanted, at]) =>
    command("callSelected", inTenant, [acting, drawnAgent, slug, name, asked, wanted, at], async (model, as, world) => {
      const { id, agent } = agentOf(model, drawnAgent, at)
      const executor = await callerOf(as(acting), id)
      if (executor === undefined || agent === undefined) return false
      const caller = { subject: acting, agent }
      // By the short address, a model can say whose; only a host names an account.
      const isShort = at % 2 === 0
      const request: ModelRequest = isShort ? { identity: asked } : { identity: asked, account: wanted }
      const args = isShort && asked !== undefined ? { _identity: asked } : {}
      const expected = expectedOf(model, caller, model.selected(caller, slug, request), name)
      const called = (): Promise<ToolResult> =>
        isShort ? executor.execute(`tools.${slug}.${name}`, args) : executor.call(slug, name, args, request)
      return expectCall(world, called, expected)
    }),
  )

const send = fc
  .tuple(tenant, subject, fc.option(agentId), ref, fc.constantFrom("GET", "POST"), pick)
  .map(([inTenant, acting, drawnAgent, drawn, method, at]) =>
    command("send", inTenant, [acting, drawnAgent, drawn, method, at], async (model, as, world) => {
      const { id, agent } = agentOf(model, drawnAgent, at)
      const executor = await callerOf(as(acting), id)
      if (executor === undefined || agent === undefined) return false
      const caller = { subject: acting, agent }
      const wanted = refOf(model, caller, drawn, at)
      const shown = model.shown(caller).find((one) => addressOf(one) === addressOf(wanted))
      const need = method === "GET" ? "raw read" : "raw write"
      const isExpected = shown !== undefined && !shown.connection.isDisabled && model.mayUse(caller, shown, need)
      const asked = Number(isExpected && model.decision(caller, shown, need) === "require_approval")
      const before = { arrivals: world.arrivals.length, asked: world.asked() }
      await succeeded(executor.connections.fetch(wanted)("/", { method }))
      expect(world.arrivals.slice(before.arrivals)).toEqual(isExpected ? [shown.connection.secret] : [])
      expect(world.asked() - before.asked, "people asked").toBe(asked)
      return isExpected
    }),
  )

/** Every way to call, as often as it has weight. */
export const callCommands = [
  ...Array.from({ length: 6 }, () => callAddress),
  ...Array.from({ length: 6 }, () => callSelected),
  ...Array.from({ length: 3 }, () => send),
]
