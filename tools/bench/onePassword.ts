/**
 * Figures of the 1Password provider, over real processes of the fake `op` of its tests: how many processes a connection
 * costs, and how long the event loop stands still while slow reads run side by side.
 *
 * `pnpm bench 1password` runs it in its own process; `node --conditions=@keyward/source onePassword.ts` prints it alone.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { setTimeout as delay } from "node:timers/promises"
import { createExecutor, definePlugin, variable } from "@keyward/core"
import { fakeUpstream } from "@keyward/core/testing"
import { onePasswordProvider } from "@keyward/provider-onepassword"
import * as Effect from "effect/Effect"
import { agents, FakeOp, loginItem } from "../../packages/provider-onepassword/test/fake-op/FakeOp.ts"
import { median, type Row } from "./measure.ts"

const suite = "1password"
const parallelReads = 10
const slowReadMs = 1_000
const rounds = 5

/** Runs the suite; takes about twenty seconds. */
export const onePassword = async (): Promise<ReadonlyArray<Row>> => {
  const processes = await processesOfOneConnection()
  const stalls: Array<number> = []
  const idle: Array<number> = []
  const most: Array<number> = []
  for (let round = 0; round < rounds; round += 1) {
    idle.push(await longestStall(() => delay(slowReadMs)))
    const { stall, processesAtOnce } = await stallOfSlowReads()
    stalls.push(stall)
    most.push(processesAtOnce)
  }
  return [
    {
      suite,
      name: "processes for one call of a connection with three fields of one item",
      value: String(processes),
      target: "1",
      isMet: processes === 1,
    },
    {
      suite,
      name: `longest stall of the event loop in ${parallelReads} parallel reads of ${slowReadMs} ms, median of ${rounds} rounds`,
      value: `${median(stalls).toFixed(1)} ms (${Math.min(...stalls).toFixed(1)} to ${Math.max(...stalls).toFixed(1)})`,
      target: "< 20 ms",
      isMet: median(stalls) < 20,
    },
    {
      suite,
      name: "the same without any read, on this machine",
      value: `${median(idle).toFixed(1)} ms (${Math.min(...idle).toFixed(1)} to ${Math.max(...idle).toFixed(1)})`,
    },
    { suite, name: "op processes at the same time, at most", value: String(Math.max(...most)) },
  ]
}

const processesOfOneConnection = async (): Promise<number> => {
  const fields = ["user", "key", "secret"].map((id) => ({ id, type: "CONCEALED", label: id, value: `the ${id}` }))
  using op = new FakeOp({ items: [loginItem("Service", "", { fields })] })
  await using upstream = await fakeUpstream({ "GET /": () => ({ json: {} }) })
  const plugin = definePlugin({
    id: "service",
    extension: (ctx) => ({
      add: () =>
        ctx.integrations.register({
          slug: "service",
          baseUrl: upstream.origin,
          authTemplates: [
            {
              slug: "keys",
              type: "apiKey",
              headers: { "X-User": [variable("user")], "X-Key": [variable("key")], "X-Secret": [variable("secret")] },
            },
          ],
        }),
    }),
    resolveTools: () => [],
    invokeTool: () => undefined,
  })
  await using executor = await createExecutor({
    plugins: [plugin],
    providers: [onePasswordProvider({ command: op.command, vaults: ["Agents"], serviceAccountToken: "ops_bench" })],
    egress: { allowHosts: [upstream.host] },
  })
  await executor.service.add()
  const ref = { owner: "org", integration: "service", name: "main" } as const
  const from = (field: string) => ({ from: { provider: "1password", id: `op://Agents/Service/${field}` } })
  await executor.connections.create({
    ...ref,
    template: "keys",
    inputs: { user: from("user"), key: from("key"), secret: from("secret") },
  })
  const response = await executor.connections.fetch(ref)("/")
  if (!response.ok || upstream.requests.at(-1)?.headers["x-secret"] !== "the secret") {
    throw new Error("The call did not carry the fields of the item.")
  }
  return op.journal().length
}

const stallOfSlowReads = async () => {
  const items = Array.from({ length: parallelReads }, (_, index) => loginItem(`Item ${index}`, `value ${index}`))
  using op = new FakeOp({ vaults: [agents], items, rules: [{ when: ["item"], delayMs: slowReadMs }] })
  const provider = onePasswordProvider({ command: op.command, serviceAccountToken: "ops_bench" })
  const stall = await longestStall(() =>
    Promise.all(items.map(({ title }) => Effect.runPromise(provider.get(`op://Agents/${title}/password`)))),
  )
  await Effect.runPromise(provider.close?.() ?? Effect.void)
  return { stall, processesAtOnce: op.mostAtOnce() }
}

/** The longest time in milliseconds for which a timer of one millisecond was late while `work` ran. */
const longestStall = async (work: () => Promise<unknown>): Promise<number> => {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  await work()
  histogram.disable()
  return histogram.max / 1e6
}

if (import.meta.main) console.table(await onePassword())
