/**
 * Accounts, agents, grants and shares against an oracle: no call runs as an account that the oracle forbids, no list shows what cannot be
 * called, and what is taken back is gone with the very next call.
 */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { createExecutor, memoryProvider, memoryStore } from "@keyward/core"
import { fakeUpstream } from "@keyward/core/testing"
import { acmePlugin, received, templates, toJson } from "../executor/acme.ts"
import { accessCommands, integrations, newModels, tenants, type World } from "./accessCommands.ts"
import { toolNeeds } from "./AccessModel.ts"

const backwards = (text: string): string => text.split("").reverse().join("")

describe("users, agents and hosts that do anything in any order", () => {
  it("never make a call run as an account that an oracle forbids, nor a list show what cannot be called", async () => {
    await using upstream = await fakeUpstream((request) => ({
      json: { whose: backwards(received(request).authorization ?? "") },
    }))
    const done = new Map<string, number>()
    const newWorld = async (): Promise<World & AsyncDisposable> => {
      const executor = await createExecutor({
        plugins: [
          acmePlugin(
            {},
            {
              resolveTools: () =>
                Object.entries(toolNeeds).map(([name, need]) => ({
                  name,
                  annotations: { readOnlyHint: need === "read" },
                })),
              invokeTool: ({ fetch }) => fetch("/").then(toJson),
            },
          ),
        ] as const,
        providers: [memoryProvider()],
        store: memoryStore(),
        onElicitation: "accept-all",
        egress: { allowHosts: [upstream.host] },
      })
      for (const tenant of tenants) {
        for (const slug of integrations) {
          await executor.withIdentity({ tenant }).acme.add({ slug, baseUrl: upstream.origin, authTemplates: templates })
        }
      }
      return {
        executors: [executor],
        arrived: (data) => backwards((data as { readonly whose: string }).whose).replace("Bearer ", ""),
        done,
        turn: 0,
        secrets: 0,
        [Symbol.asyncDispose]: () => executor.close(),
      }
    }
    await fc.assert(
      fc.asyncProperty(fc.commands([...accessCommands], { maxCommands: 150, size: "max" }), async (commands) => {
        await using world = await newWorld()
        await fc.asyncModelRun(() => ({ model: newModels(), real: world }), commands)
      }),
      { numRuns: 80 },
    )
    for (const name of ["connect", "grant", "share", "delegate", "call", "revoke", "unshare", "removeAgent"]) {
      expect(done.get(name) ?? 0, `how often ${name} was possible`).toBeGreaterThan(0)
    }
  }, 120_000)
})
