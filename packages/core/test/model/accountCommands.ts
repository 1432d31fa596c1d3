/** What people do with their accounts, and administrators about whose account calls run as and which calls are made. */
import * as fc from "fast-check"
import { expect } from "vitest"
import { accountsOf, type ModelAction, type ModelMode, type ModelRule } from "./CallModel.ts"
import { command, connectionName, integration, oneOf, pick, ref, refOf, subject, tenant } from "./command.ts"
import { succeeded } from "./world.ts"

const label = fc.constantFrom(null, "Top", "Low")

const connect = fc
  .tuple(tenant, subject, integration, connectionName, label)
  .map(([inTenant, owner, slug, name, identityLabel]) =>
    command("connect", inTenant, [owner, slug, name, identityLabel], async (model, as, world) => {
      const secret = `secret${(world.secrets += 1)}`
      const input = {
        owner: owner === null ? "org" : "user",
        integration: slug,
        name,
        identityLabel,
        template: "bearer",
        value: secret,
      } as const
      const done = await succeeded(as(owner).connections.create(input))
      const known = model.connection(owner, slug, name)
      const isTaken =
        owner !== null &&
        known === undefined &&
        model.shares.some((one) => one.to === owner && one.as === name && one.connection.integration === slug)
      expect(done === undefined).toBe(isTaken)
      if (done === undefined) return false
      if (known === undefined) {
        model.connections.push({ owner, integration: slug, name, label: identityLabel, secret, isDisabled: false })
      } else Object.assign(known, { label: identityLabel, secret, isDisabled: false })
      return true
    }),
  )

const disconnect = fc.tuple(tenant, subject, integration, connectionName).map(([inTenant, owner, slug, name]) =>
  command("disconnect", inTenant, [owner, slug, name], async (model, as) => {
    const known = model.connection(owner, slug, name)
    const done = await succeeded(
      as(owner).connections.remove({ owner: owner === null ? "org" : "user", integration: slug, name }),
    )
    expect(done !== undefined).toBe(known !== undefined)
    if (known !== undefined) model.removeConnection(known)
    return known !== undefined
  }),
)

const suspend = fc
  .tuple(tenant, subject, integration, connectionName, fc.boolean())
  .map(([inTenant, owner, slug, name, isDisabled]) =>
    command("suspend", inTenant, [owner, slug, name, isDisabled], async (model, as) => {
      const known = model.connection(owner, slug, name)
      const { connections } = as(owner)
      const wanted = { owner: owner === null ? "org" : "user", integration: slug, name } as const
      const done = await succeeded(isDisabled ? connections.disable(wanted) : connections.enable(wanted))
      expect(done !== undefined).toBe(known !== undefined)
      if (known !== undefined) known.isDisabled = isDisabled
      return known !== undefined
    }),
  )

const setDefault = fc.tuple(tenant, subject, ref, pick).map(([inTenant, acting, drawn, at]) =>
  command("setDefault", inTenant, [acting, drawn, at], async (model, as) => {
    const caller = { subject: acting, agent: null }
    const wanted = refOf(model, caller, drawn, at)
    const { owner, integration: slug, name } = wanted
    const done = await succeeded(as(acting).connections.setDefault(wanted))
    const connection = model.meant(caller, owner, slug, name)
    const isThere = connection !== undefined && model.sees(caller, connection)
    expect(done !== undefined).toBe(isThere)
    if (!isThere) return false
    model.defaults.set(accountsOf(owner, acting, slug), { name, connection })
    return true
  }),
)

const clearDefault = fc.tuple(tenant, subject, integration).map(([inTenant, acting, slug]) =>
  command("clearDefault", inTenant, [acting, slug], async (model, as) => {
    const owner = acting === null ? "org" : "user"
    await as(acting).connections.clearDefault({ owner, integration: slug })
    return model.defaults.delete(accountsOf(owner, acting, slug))
  }),
)

const mode = fc.oneof(
  { weight: 3, arbitrary: fc.constant<ModelMode>("either") },
  fc.constantFrom<ModelMode>("admin", "shared", "per_user"),
)

const setMode = fc.tuple(tenant, integration, mode).map(([inTenant, slug, wanted]) =>
  command("setMode", inTenant, [slug, wanted], async (model, as) => {
    await as(null).integrations.setIdentityMode(slug, wanted)
    model.modes.set(slug, wanted)
    return true
  }),
)

const action = fc.constantFrom<ModelAction>("approve", "require_approval", "block")

const pattern = fc
  .tuple(
    fc.constantFrom("api", "web", "*"),
    fc.constantFrom("org", "user", "*"),
    fc.constantFrom("main", "second", "ma*", "lent", "*"),
    fc.constantFrom("issues.list", "issues.*", "users.*", "fetch", "*"),
  )
  .map((parts) => ["tools", ...parts].join("."))

const addRule = fc
  .tuple(tenant, subject, pattern, action, fc.option(fc.nat(2), { nil: undefined }))
  .map(([inTenant, acting, wanted, decided, order]) =>
    command("addRule", inTenant, [acting, wanted, decided, order], async (model, as) => {
      const rule = await as(acting).policies.create({
        owner: acting === null ? "org" : "user",
        pattern: wanted,
        action: decided,
        order,
      })
      model.rules.push({ ...rule, subject: acting })
      return true
    }),
  )

const changeRule = fc.tuple(tenant, action, pick).map(([inTenant, decided, at]) =>
  command("changeRule", inTenant, [decided, at], async (model, as) => {
    const rule = oneOf<ModelRule | undefined>(model.rules, undefined, at)
    if (rule === undefined) return false
    await as(rule.subject).policies.update(rule.id, { action: decided })
    rule.action = decided
    return true
  }),
)

const removeRule = fc.tuple(tenant, pick).map(([inTenant, at]) =>
  command("removeRule", inTenant, at, async (model, as) => {
    const rule = oneOf<ModelRule | undefined>(model.rules, undefined, at)
    if (rule === undefined) return false
    await as(rule.subject).policies.remove(rule.id)
    model.rules = model.rules.filter((one) => one !== rule)
    return true
  }),
)

/** Every command about accounts, modes and rules, as often as it has weight. */
export const accountCommands = [
  ...Array.from({ length: 6 }, () => connect),
  disconnect,
  suspend,
  setDefault,
  clearDefault,
  setMode,
  addRule,
  changeRule,
  ...Array.from({ length: 2 }, () => removeRule),
]
