/**
 * Runs the commands of the model-based test against executors over some store, and holds what they do against the oracle.
 *
 * Called for memory here, and for SQLite and Postgres by the tests of `@keyward/store-sql`, with two executors over one database.
 */
import { createExecutor, type CredentialProvider, type Store } from "@keyward/core"
import { fakeUpstream } from "@keyward/core/testing"
import * as fc from "fast-check"
import { expect } from "vitest"
import { acmePlugin, received, templates, toJson } from "../executor/acme.ts"
import { accessCommands } from "./accessCommands.ts"
import { toolNeeds } from "./AccessModel.ts"
import { accountCommands } from "./accountCommands.ts"
import { callCommands } from "./callCommands.ts"
import { integrations, newModels, tenants } from "./command.ts"
import { type World } from "./world.ts"

/** What executors of one run share, and what each has of its own. */
interface ModelStores extends AsyncDisposable {
  /** One for each executor. */
  readonly stores: ReadonlyArray<Store>
  /** One for all, since secrets are not what is tried here. */
  readonly provider: CredentialProvider
}

/** How much is tried. */
export interface ModelRunOptions {
  /** Makes the stores of one run, with nothing in them. */
  readonly makeStores: () => Promise<ModelStores>
  readonly runs: number
  /** Whether so much is tried that everything has to have been possible; a run in which nothing happens proves nothing. */
  readonly isThorough: boolean
}

/** Tries sequences of commands; a counterexample is shrunk and told with its seed. */
export const runModel = async ({ makeStores, runs, isThorough }: ModelRunOptions): Promise<void> => {
  const arrivals: Array<string> = []
  const done = new Map<string, number>()
  let asked = 0
  await using upstream = await fakeUpstream((request) => {
    arrivals.push((received(request).authorization ?? "").replace("Bearer ", ""))
    return { json: {} }
  })
  const plugin = acmePlugin(
    {},
    {
      resolveTools: () =>
        Object.entries(toolNeeds).map(([name, need]) => ({ name, annotations: { readOnlyHint: need === "read" } })),
      invokeTool: ({ fetch }) => fetch("/").then(toJson),
    },
  )
  const newWorld = async (): Promise<World & AsyncDisposable> => {
    const shared = await makeStores()
    const executors = await Promise.all(
      shared.stores.map((store) =>
        createExecutor({
          plugins: [plugin] as const,
          providers: [shared.provider],
          store,
          onElicitation: () => {
            asked += 1
            return { action: "accept" }
          },
          egress: { allowHosts: [upstream.host] },
        }),
      ),
    )
    for (const tenant of tenants) {
      for (const slug of integrations) {
        const input = { slug, baseUrl: upstream.origin, authTemplates: templates }
        await executors[0]?.withIdentity({ tenant }).acme.add(input)
      }
    }
    return {
      executors,
      arrivals,
      asked: () => asked,
      done,
      kept: [],
      turn: 0,
      secrets: 0,
      [Symbol.asyncDispose]: async () => {
        for (const executor of executors) await executor.close()
        await shared[Symbol.asyncDispose]()
      },
    }
  }
  const commands = fc.commands([...accountCommands, ...accessCommands, ...callCommands], {
    maxCommands: 150,
    size: "max",
  })
  await fc.assert(
    fc.asyncProperty(commands, async (sequence) => {
      await using world = await newWorld()
      await fc.asyncModelRun(() => ({ model: newModels(), real: world }), sequence)
    }),
    // Short sequences, which come first otherwise, reach nothing.
    { numRuns: runs, unbiased: true, timeout: hungAfterMs, interruptAfterTimeLimit: longestMs },
  )
  if (!isThorough) return
  for (const name of possible) expect(done.get(name) ?? 0, `how often ${name} was possible`).toBeGreaterThan(0)
}

/** One sequence that takes so long, in milliseconds, waits for something that does not come. */
const hungAfterMs = 20_000

/** How long is looked for a shorter counterexample, in milliseconds; the test's own limit would end it before its seed is told. */
const longestMs = 40_000

/** What has to have happened in a thorough run. */
const possible = [
  "connect",
  "disconnect",
  "suspend",
  "setDefault",
  "setMode",
  "addRule",
  "changeRule",
  "removeRule",
  "grant",
  "entrust",
  "share",
  "delegate",
  "revoke",
  "takeBack",
  "unshare",
  "removeAgent",
  "rotateKey",
  "callAddress",
  "callSelected",
  "send",
]
