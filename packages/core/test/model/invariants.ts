/** What holds after every command, whatever it was: lists show exactly what can be called, to the users and the agents of a tenant. */
import type { AgentExecutor, Executor } from "@keyward/core"
import { expect } from "vitest"
import type { ModelCaller } from "./AccessModel.ts"
import { addressOf, type CallModel, toolNames } from "./CallModel.ts"
import { callerOf, subjects, type World } from "./world.ts"

/** Looks as somebody else each time, in another process where there are several. */
export const expectInvariants = async (model: CallModel, inTenant: string, world: World): Promise<void> => {
  const executor = world.executors[(world.turn + 1) % world.executors.length]
  if (executor === undefined) return
  const acting = [null, ...subjects][world.turn % (subjects.length + 1)] ?? null
  const as = executor.withIdentity({ tenant: inTenant, subject: acting })
  for (const agent of [null, ...model.agents]) {
    const known = await callerOf(as, agent?.id ?? null)
    const caller = { subject: acting, agent }
    expect(known).toBeDefined()
    if (known === undefined) continue
    await expectLists(known, model, caller, world.turn)
    if (agent !== null && world.turn % 8 === 0) {
      world.kept.push({
        tenant: inTenant,
        caller: { ...caller, agent },
        key: agent.key,
        executor: await as.asAgent(agent.key),
      })
    }
  }
  await expectKept(model, inTenant, world)
}

/** An executor that somebody holds on to does what a new one would; without its key or its agent, nothing. */
const expectKept = async (model: CallModel, inTenant: string, world: World): Promise<void> => {
  const kept = world.kept.filter(({ tenant }) => tenant === inTenant)
  const one = kept[world.turn % Math.max(1, kept.length)]
  if (one === undefined) return
  const isAdmitted = model.agents.includes(one.caller.agent) && one.caller.agent.key === one.key
  if (isAdmitted) return expectLists(one.executor, model, one.caller, world.turn)
  await expect(one.executor.tools.list()).rejects.toMatchObject({ _tag: "InvalidAgentKeyError" })
}

const expectLists = async (
  known: Executor | AgentExecutor,
  model: CallModel,
  caller: ModelCaller,
  turn: number,
): Promise<void> => {
  const expected = model.listed(caller).toSorted()
  const tools = await known.tools.list()
  expect(tools.map(({ address }) => address).toSorted()).toEqual(expected)
  const shown = model.shown(caller)
  if (turn % 3 === 0) {
    const connections = await known.connections.list()
    expect(connections.map(({ address }) => address).toSorted()).toEqual(shown.map(addressOf).toSorted())
  }
  if (turn % 3 === 1) {
    const found = await known.tools.search({ query: "list create issues users", limit: 100 })
    const counted = found.reduce((sum, { addressCount }) => sum + addressCount, 0)
    for (const address of found.flatMap(({ addresses }) => addresses)) expect(expected).toContain(address)
    expect(counted).toBe(expected.length)
  }
  if (turn % 3 === 2) {
    const one = shown[turn % Math.max(1, shown.length)]
    if (one === undefined) return
    const address = `${addressOf(one)}.${toolNames[turn % toolNames.length]}`
    expect((await known.tools.schema(address)) !== null).toBe(expected.includes(address))
  }
}
