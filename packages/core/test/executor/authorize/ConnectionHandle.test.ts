/**
 * What plugins are given of a connection beyond one call: its handle, its environment, the catalog that is listed again, and the end.
 */
import { type InvokeToolInput, type ResolveToolsInput, type ToolDef, variable } from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import { describe, expect, it } from "vitest"
import { type AcmePlugin, acmePlugin, failureOf, main, setStage, toolOfMain } from "../acme.ts"

const readOnly = (name: string): ToolDef => ({ name, annotations: { readOnlyHint: true } })

/** A plugin whose connections have tools of their own. */
const listing = (
  list: (input: ResolveToolsInput) => ReadonlyArray<ToolDef> | Promise<ReadonlyArray<ToolDef>>,
  run: (call: InvokeToolInput) => unknown = () => null,
  more: Parameters<typeof acmePlugin>[1] = {},
): AcmePlugin => acmePlugin({}, { catalog: "connection", resolveTools: list, invokeTool: run, ...more })

const connect = async (plugin: AcmePlugin) => {
  const stage = await setStage({ plugin })
  await stage.executor.connections.create({ ...main, template: "bearer", value: "first-token" })
  return stage
}

const names = async ({ executor }: Awaited<ReturnType<typeof connect>>): Promise<ReadonlyArray<string>> =>
  (await executor.tools.list()).map(({ name }) => name)

describe("a handle", () => {
  it("has a key for its caller and another generation for another credential, neither of which holds it", async () => {
    const handles: Array<readonly [string, string]> = []
    const { executor } = await connect(
      listing(
        () => [readOnly("call")],
        ({ handle }) => void handles.push([handle.key, handle.generation]),
      ),
    )
    await executor.execute(toolOfMain())
    await executor.execute(toolOfMain())
    await executor.connections.create({ ...main, template: "bearer", value: "second-token" })
    await executor.execute(toolOfMain())
    await executor.withIdentity({ subject: "bob" }).execute(toolOfMain())
    const [first, again, renewed, bobs] = handles
    expect(again).toEqual(first)
    expect(renewed?.[0]).toBe(first?.[0])
    expect(renewed?.[1]).not.toBe(first?.[1])
    expect(bobs?.[0]).not.toBe(first?.[0])
    new CanaryScanner(["first-token", "second-token"]).expectNone(handles, "the handles")
  })

  it("has a fetch that is not ended with the call, and has the credential of its time", async () => {
    const kept: Array<InvokeToolInput["fetch"]> = []
    const stage = await connect(
      listing(
        () => [readOnly("call")],
        ({ handle }) => void kept.push(handle.fetch),
      ),
    )
    await stage.executor.execute(toolOfMain())
    await stage.executor.connections.create({ ...main, template: "bearer", value: "second-token" })
    const answer = await kept[0]?.("/")
    expect(await answer?.json()).toMatchObject({ authorization: "Bearer second-token" })
  })

  it("says whether what was kept of it may still be used", async () => {
    const handles: Array<InvokeToolInput["handle"]> = []
    const { executor } = await connect(
      listing(
        () => [readOnly("call")],
        ({ handle }) => void handles.push(handle),
      ),
    )
    const bob = executor.withIdentity({ subject: "bob" })
    const areCurrent = () => Promise.all(handles.map(({ isCurrent }) => isCurrent()))
    for (const whose of [executor, bob]) await whose.execute(toolOfMain())
    expect(handles[0]?.connection).toBe(handles[1]?.connection)
    expect(await areCurrent()).toEqual([true, true])
    await executor.connections.update(main, { description: "The one." })
    expect(await areCurrent()).toEqual([false, false])
    await executor.execute(toolOfMain())
    await executor.connections.disable(main)
    expect((await areCurrent())[2]).toBe(false)
    await executor.connections.enable(main)
    await executor.execute(toolOfMain())
    expect((await areCurrent()).at(-1)).toBe(true)
    await executor.connections.remove(main)
    expect(await areCurrent()).toEqual([false, false, false, false])
  })

  it("is not there while the connection is not", async () => {
    const given: Array<unknown> = []
    const plugin = acmePlugin(
      {},
      {
        catalog: "connection",
        resolveTools: ({ handle }) => {
          given.push(handle === null)
          return [readOnly("call")]
        },
      },
    )
    const { executor } = await connect(plugin)
    await executor.connections.refresh(main)
    expect(given).toEqual([true, false])
  })
})

describe("tools of a connection", () => {
  it("are listed again in the background when the plugin says that they changed", async () => {
    let tools = [readOnly("call")]
    const stage = await connect(
      listing(
        () => tools,
        ({ handle }) => handle.toolsChanged(),
      ),
    )
    tools = [readOnly("call"), readOnly("later")]
    expect(await names(stage)).toEqual(["call"])
    await stage.executor.execute(toolOfMain())
    await expect.poll(() => names(stage)).toEqual(["call", "later"])
    expect(stage.events.filter(({ type }) => type === "connection.refreshed")).toHaveLength(1)
  })

  it("are listed again once they are old, while those that are known are served", async () => {
    let tools = [readOnly("call")]
    let release = (): void => undefined
    let listings = 0
    const list = async (): Promise<ReadonlyArray<ToolDef>> => {
      listings += 1
      if (listings > 1) await new Promise<void>((resolve) => (release = resolve))
      return tools
    }
    const stage = await connect(listing(list, undefined, { catalogMaxAgeMs: 1 }))
    tools = [readOnly("later")]
    await expect.poll(async () => [await names(stage), listings]).toEqual([["call"], 2])
    expect(await names(stage)).toEqual(["call"])
    expect(listings).toBe(2)
    release()
    await expect.poll(() => names(stage)).toEqual(["later"])
  })

  it("stay as they are when they cannot be listed", async () => {
    let isDown = false
    let asked = 0
    const list = (): ReadonlyArray<ToolDef> => {
      asked += 1
      if (isDown) throw new Error("It is down.")
      return [readOnly("call")]
    }
    const stage = await connect(listing(list, ({ handle }) => handle.toolsChanged()))
    isDown = true
    await stage.executor.execute(toolOfMain())
    await expect.poll(() => asked).toBe(2)
    expect(await names(stage)).toEqual(["call"])
    expect(await stage.executor.execute(toolOfMain())).toMatchObject({ ok: true })
  })

  it("are listed once more when they change while they are listed", async () => {
    let listings = 0
    let release = (): void => undefined
    const list = async (): Promise<ReadonlyArray<ToolDef>> => {
      listings += 1
      if (listings === 2) await new Promise<void>((resolve) => (release = resolve))
      return [readOnly("call"), readOnly(`of ${listings}`)]
    }
    const stage = await connect(listing(list, ({ handle }) => handle.toolsChanged()))
    await stage.executor.execute(toolOfMain())
    await expect.poll(() => listings).toBe(2)
    await stage.executor.execute(toolOfMain())
    await stage.executor.execute(toolOfMain())
    release()
    await expect.poll(() => names(stage)).toEqual(["call", "of 3"])
    expect(listings).toBe(3)
  })

  it("are not listed without a pause for a service that says with each listing that they changed", async () => {
    let listings = 0
    const stage = await connect(
      listing(
        ({ handle }) => {
          listings += 1
          handle?.toolsChanged()
          return [readOnly("call")]
        },
        ({ handle }) => handle.toolsChanged(),
      ),
    )
    const before = Date.now()
    await stage.executor.execute(toolOfMain())
    await expect.poll(() => listings).toBeGreaterThan(4)
    // Five listings wait 50, 100 and 200 ms between them; without a pause there are thousands by then.
    expect(listings).toBeLessThan(6 + Math.log2(1 + (Date.now() - before) / 50))
  })

  it("do not hold a credential that the service repeats", async () => {
    const secret = canary("repeated")
    const plugin = acmePlugin(
      {},
      {
        catalog: "connection",
        resolveTools: async ({ fetch }) => {
          const { authorization } = (await (await fetch("/")).json()) as { readonly authorization: string }
          return [{ name: "call", description: `For ${authorization}`, inputSchema: { title: authorization } }]
        },
      },
    )
    const { executor, events } = await setStage({ plugin })
    await executor.connections.create({ ...main, template: "bearer", value: secret })
    const told = [await executor.tools.list(), await executor.tools.schema(toolOfMain()), events]
    expect(await executor.tools.list()).toMatchObject([{ name: "call" }])
    new CanaryScanner([secret]).expectNone(told, "the tools")
  })

  it("ask nobody a question that holds the credential", async () => {
    const secret = canary("asked")
    const asked: Array<unknown> = []
    const plugin = listing(
      () => [readOnly("call")],
      async ({ fetch, elicit }) => {
        const { authorization } = (await (await fetch("/")).json()) as { readonly authorization: string }
        return elicit({ kind: "form", message: `Is ${authorization} right?`, schema: { type: "object" } })
      },
    )
    const { executor } = await setStage({ plugin })
    await executor.connections.create({ ...main, template: "bearer", value: secret })
    const onElicitation = (request: unknown) => {
      asked.push(request)
      return { action: "accept" } as const
    }
    await executor.execute(toolOfMain(), {}, { onElicitation })
    expect(asked).toHaveLength(1)
    new CanaryScanner([secret]).expectNone(asked, "the question")
  })
})

describe("an environment", () => {
  it("is given to a plugin that asks for it, and its secret is taken out of what comes back", async () => {
    const secret = canary("environment")
    const stage = await setStage({
      tools: { call: async ({ environment }) => ({ ...(await environment()) }) },
    })
    await stage.executor.acme.add({
      slug: "api",
      authTemplates: [{ slug: "key", type: "apiKey", env: { TOKEN: [variable("token")], REGION: ["eu"] } }],
    })
    await stage.executor.connections.create({ ...main, template: "key", value: secret })
    const result = await stage.executor.execute(toolOfMain())
    expect(result).toEqual({ ok: true, data: { TOKEN: "<redacted>", REGION: "eu" } })
    new CanaryScanner([secret]).expectNone([result, stage.events], "the result and the events")
  })

  it("of a credential that an environment cannot hold fails the call", async () => {
    const stage = await setStage({ tools: { call: async ({ environment }) => environment() } })
    await stage.executor.acme.add({
      slug: "api",
      authTemplates: [{ slug: "key", type: "apiKey", env: { TOKEN: [variable("token")] } }],
    })
    await stage.executor.connections.create({ ...main, template: "key", value: "with\0nul" })
    expect(failureOf(await stage.executor.execute(toolOfMain()))).toMatchObject({ code: "connection_not_placeable" })
  })
})

describe("progress", () => {
  it("reaches whoever made the call, without the call's secret, and nobody has to listen", async () => {
    const heard: Array<unknown> = []
    const stage = await setStage({
      tools: {
        call: async ({ fetch, progress }) => {
          await fetch("/")
          progress?.({ progress: 1, message: "with some-long-token" })
          return progress === undefined
        },
      },
    })
    await stage.executor.connections.create({ ...main, template: "bearer", value: "some-long-token" })
    await stage.executor.execute(toolOfMain(), {}, { onProgress: (progress) => void heard.push(progress) })
    expect(heard).toEqual([{ progress: 1, message: "with <redacted>" }])
    expect(await stage.executor.execute(toolOfMain())).toEqual({ ok: true, data: true })
    const failing = stage.executor.execute(
      toolOfMain(),
      {},
      {
        onProgress: () => {
          throw new Error("The listener broke.")
        },
      },
    )
    expect(await failing).toMatchObject({ ok: true })
  })
})

describe("what a plugin holds open for a connection", () => {
  /** A plugin that asks the service for something each time it is told. */
  const holding = () => {
    const told: Array<unknown> = []
    const fetches: Array<InvokeToolInput["handle"]> = []
    const plugin = listing(
      () => [readOnly("call")],
      ({ handle }) => void fetches.push(handle),
      {
        release: async ({ executor, connection }) => {
          const handle = fetches[0]
          if (handle?.executor !== executor || handle.connection !== connection) return
          told.push(
            await handle.fetch("/").then(
              ({ status }) => status,
              (error: Error) => error.name,
            ),
          )
          throw new Error("It does not end.")
        },
      },
    )
    return { plugin, told }
  }

  it("is let go of before the connection is removed, while the credential is there, and once more after", async () => {
    const { plugin, told } = holding()
    const { executor, events } = await connect(plugin)
    await executor.execute(toolOfMain())
    await executor.connections.remove(main)
    await expect.poll(() => told).toEqual([200, "ConnectionNotFoundError"])
    expect(events.map(({ type }) => type)).toContain("connection.removed")
  })

  it("is let go of before the connection is disabled", async () => {
    const { plugin, told } = holding()
    const { executor } = await connect(plugin)
    await executor.execute(toolOfMain())
    await executor.connections.disable(main)
    await expect.poll(() => told).toEqual([200, "ConnectionCredentialError"])
  })

  it("is let go of when the connection has another credential, and not because of another connection", async () => {
    const { plugin, told } = holding()
    const { executor } = await connect(plugin)
    await executor.execute(toolOfMain())
    await executor.connections.create({ ...main, name: "other", template: "bearer", value: "other-token" })
    await executor.connections.remove({ ...main, name: "other" })
    await executor.connections.create({ ...main, template: "bearer", value: "second-token" })
    await expect.poll(() => told).toEqual([200])
  })
})

describe("the end", () => {
  it("is told to every plugin once, and one that does not end cleanly keeps nobody", async () => {
    const called: Array<object> = []
    const closed: Array<object> = []
    const plugin = listing(
      () => [readOnly("call")],
      ({ handle }) => void called.push(handle.executor),
      {
        close: (closing) => {
          closed.push(closing.executor)
          throw new Error("It does not end.")
        },
      },
    )
    const { executor } = await connect(plugin)
    const { executor: other } = await connect(plugin)
    await executor.execute(toolOfMain())
    await executor.close()
    await executor.close()
    await other.execute(toolOfMain())
    expect(closed).toHaveLength(1)
    expect(closed[0]).toBe(called[0])
    expect(called[1]).not.toBe(called[0])
  })
})
