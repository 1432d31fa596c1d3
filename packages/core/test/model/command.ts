/**
 * What the commands of the model-based test are made of: what they are drawn from, and how one is run.
 */
import type { ConnectionRef, Executor } from "@keyward/core"
import * as fc from "fast-check"
import type { ModelCaller, ModelScope } from "./AccessModel.ts"
import { CallModel } from "./CallModel.ts"
import { expectInvariants } from "./invariants.ts"
import { subjects, type World } from "./world.ts"

/** One model per tenant. */
export type Models = Readonly<Record<string, CallModel>>

export const tenants = ["acme", "globex"] as const
export const integrations = ["api", "web"] as const
const agentIds = ["lead", "helper", "deep"] as const
const names = ["main", "second"] as const

export const newModels = (): Models => Object.fromEntries(tenants.map((tenant) => [tenant, new CallModel()]))

export type Command = fc.AsyncCommand<Models, World>

export const scope: fc.Arbitrary<ModelScope> = fc.record(
  {
    access: fc.constantFrom<ModelScope["access"]>(["read"], ["write"], ["read", "write"]),
    tools: fc.constantFrom(["issues.*"], ["issues.list"], ["users.list", "issues.create"]),
  },
  { requiredKeys: ["access"] },
)
// Small and crowded, so that most of what is drawn meets something that is there.
export const tenant = fc.oneof({ weight: 9, arbitrary: fc.constant(tenants[0]) }, fc.constant(tenants[1]))
export const subject = fc.option(fc.constantFrom(...subjects))
export const agentId = fc.constantFrom(...agentIds)
export const integration = fc.oneof(
  { weight: 5, arbitrary: fc.constant(integrations[0]) },
  fc.constant(integrations[1]),
)
/** Mostly the same one, so that what is drawn twice is the same connection. */
export const connectionName = fc.oneof({ weight: 4, arbitrary: fc.constant(names[0]) }, fc.constant(names[1]))
const shownName = fc.oneof(
  { weight: 4, arbitrary: connectionName },
  fc.constantFrom("mainOfAlice", "mainOfBob", "secondOfAlice", "lentOfBob", "topOfAlice"),
)
export const ref: fc.Arbitrary<ConnectionRef> = fc.record({
  owner: fc.constantFrom("org", "user"),
  integration,
  name: shownName,
})

/** Draws from what there is when a command runs; mostly that, and now and then what was drawn blindly. */
export const pick = fc.nat(1000)
export const oneOf = <A>(existing: ReadonlyArray<A>, drawn: A, at: number): A =>
  at % 8 === 0 ? drawn : (existing[Math.floor(at / 8) % Math.max(1, existing.length)] ?? drawn)

/** A connection as a caller sees it, if the caller sees one. */
export const refOf = (model: CallModel, caller: ModelCaller, drawn: ConnectionRef, at: number): ConnectionRef => {
  const refs = model.shown(caller).map(({ owner, integration, name }): ConnectionRef => ({ owner, integration, name }))
  return oneOf(refs, drawn, at)
}

/** Makes a command of what it does; `run` answers whether it could be done. */
export const command = (
  name: string,
  inTenant: string,
  input: unknown,
  run: (model: CallModel, as: (subject: string | null) => Executor, world: World) => Promise<boolean>,
): Command => ({
  check: () => true,
  run: async (models, world) => {
    const model = models[inTenant] ?? new CallModel()
    world.turn += 1
    const executor = world.executors[world.turn % world.executors.length]
    if (executor === undefined) throw new Error("A world needs an executor.")
    const as = (acting: string | null) => executor.withIdentity({ tenant: inTenant, subject: acting })
    if (await run(model, as, world)) world.done.set(name, (world.done.get(name) ?? 0) + 1)
    await expectInvariants(model, inTenant, world)
  },
  toString: () => `${name}(${inTenant}, ${JSON.stringify(input)})`,
})
