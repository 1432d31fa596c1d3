/** Whose account the calls of an integration run as: registered with it, kept with it, changed by an administrator. */
import { type IdentityMode, IntegrationNotFoundError, InvalidIntegrationInputError, memoryStore } from "@keyward/core"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { acmePlugin, main, rejectionOf, setStage, templates, toolOfMain } from "../acme.ts"

describe("the identity mode of an integration", () => {
  it("is either unless it is given, and stays what it was when the integration is registered again", async () => {
    const { executor, upstream } = await setStage()
    const mode = async (slug = "api") => (await executor.integrations.get(slug))?.identityMode
    expect(await mode()).toBe("either")
    const own = await executor.acme.add({ slug: "own", identityMode: "per_user" })
    expect(own).toMatchObject({ identityMode: "per_user", revision: 1 })
    expect(await executor.acme.add({ slug: "own" })).toMatchObject({ identityMode: "per_user", revision: 1 })
    expect(await executor.acme.add({ slug: "own", description: "d" })).toMatchObject({
      identityMode: "per_user",
      revision: 2,
    })
    await executor.integrations.setIdentityMode("own", "shared")
    expect(await executor.acme.add({ slug: "own", description: "e" })).toMatchObject({ identityMode: "shared" })
    expect(await executor.acme.add({ slug: "own", description: "e", identityMode: "admin" })).toMatchObject({
      identityMode: "admin",
    })
    expect(await executor.acme.add({ slug: "api", baseUrl: upstream.origin, authTemplates: templates })).toMatchObject({
      identityMode: "either",
      revision: 1,
    })
    expect((await executor.integrations.list()).map(({ identityMode }) => identityMode)).toEqual(["either", "admin"])
  })

  it("can be changed, which the host is told and which asks for no tools again", async () => {
    let resolved = 0
    const plugin = acmePlugin(
      {},
      {
        resolveTools: () => ((resolved += 1), [{ name: "call", annotations: { readOnlyHint: true } }]),
        invokeTool: () => "done",
      },
    )
    const { executor, events } = await setStage({ plugin })
    await executor.connections.create({ ...main, template: "none" })
    expect(await executor.execute(toolOfMain())).toEqual({ ok: true, data: "done" })
    expect(await executor.integrations.setIdentityMode("api", "shared")).toMatchObject({
      identityMode: "shared",
      revision: 2,
    })
    expect(await executor.integrations.setIdentityMode("api", "shared")).toMatchObject({ revision: 2 })
    expect(await executor.execute(toolOfMain())).toEqual({ ok: true, data: "done" })
    expect(resolved).toBe(1)
    expect(events.filter(({ type }) => type.startsWith("integration"))).toMatchObject([
      { type: "integration.updated", integration: "api", revision: 2, originsChanged: false, identityMode: "shared" },
    ])
  })

  it("is refused where it is none, or of an integration that is not there", async () => {
    const { executor } = await setStage()
    const strange = "personal" as IdentityMode
    for (const given of [strange, null as unknown as IdentityMode]) {
      const error = await rejectionOf(executor.integrations.setIdentityMode("api", given))
      expect(error).toBeInstanceOf(InvalidIntegrationInputError)
      expect(error.message).toContain('"per_user"')
    }
    expect(await rejectionOf(executor.acme.add({ slug: "x", identityMode: strange }))).toMatchObject({
      field: "identityMode",
    })
    expect(await rejectionOf(executor.integrations.setIdentityMode("nope", "shared"))).toBeInstanceOf(
      IntegrationNotFoundError,
    )
    const other = executor.withIdentity({ tenant: "globex" })
    expect(await rejectionOf(other.integrations.setIdentityMode("api", "shared"))).toBeInstanceOf(
      IntegrationNotFoundError,
    )
  })

  it("reads as either in a record from before there were modes", async () => {
    const store = memoryStore()
    const { executor, upstream } = await setStage({ config: { store } })
    const { identityMode, ...before } = (await executor.acme.context().integrations.get("api"))!
    expect(identityMode).toBe("either")
    await executor.integrations.remove("api")
    await Effect.runPromise(store.integrations.put(before, 0))
    expect(await executor.integrations.get("api")).toMatchObject({ identityMode: "either" })
    expect(await executor.acme.add({ slug: "api", baseUrl: upstream.origin, authTemplates: templates })).toMatchObject({
      identityMode: "either",
      revision: 1,
    })
  })
})
