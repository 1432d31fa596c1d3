/**
 * What a plugin's author hands to the contract suite, and the running executor that its cases work with: the plugin, one
 * integration on a fake upstream, one connection with canary secrets, and a second host that must never hear of them.
 */
import * as assert from "node:assert/strict"
import type { ExecuteOptions } from "../executor/call/ToolCall.ts"
import { createExecutor } from "../executor/createExecutor.ts"
import type { ExecutorEvent } from "../executor/ExecutorEvent.ts"
import type { Executor } from "../executor/PromiseExecutor.ts"
import type { Plugin } from "../integration/Plugin.ts"
import { memoryProvider } from "../memory/MemoryProvider.ts"
import type { Tool } from "../tool/Tool.ts"
import type { ToolResult } from "../tool/ToolResult.ts"
import { canary, CanaryScanner } from "./canary.ts"
import { type ContractCase, soon } from "./ContractCase.ts"
import { type FakeUpstream, fakeUpstream, type UpstreamAnswer, type UpstreamHandler } from "./fakeUpstream.ts"

/** A call that must succeed against {@link PluginUnderTest.answer}. */
export interface PluginCall {
  /** The tool's name within its connection. */
  readonly tool: string
  /** Arguments that satisfy the tool's input schema; each text in them is replaced by hostile text in turn. Default: `{}`. */
  readonly args?: Readonly<Record<string, unknown>> | undefined
}

/** What the connection of a test needs to know of the integration that was registered. */
export interface RegisteredIntegration {
  readonly slug: string
  /** The auth template to connect with; one that places a credential. */
  readonly template: string
  /** The variables of that template. Default: `["token"]`. */
  readonly variables?: ReadonlyArray<string> | undefined
}

/** A fresh plugin with what the contract needs to drive it; made anew for each case. */
export interface PluginUnderTest<P extends Plugin = Plugin> {
  readonly plugin: P
  /** Registers an integration at a base URL through the plugin's own extension. The base URL has a path, `/api`. */
  readonly register: (executor: Executor<readonly [P]>, baseUrl: string) => Promise<RegisteredIntegration>
  /** At least one call, each of which sends at least one request with the credential. */
  readonly calls: ReadonlyArray<PluginCall>
  /** How the upstream answers. Default: 200 with a JSON document that echoes the request, headers and body included. */
  readonly answer?: UpstreamHandler | undefined
}

/** What `pluginContract` takes. */
export type MakePlugin<P extends Plugin = Plugin> = () => PluginUnderTest<P> | PromiseLike<PluginUnderTest<P>>

/** The cases of one suite as they are collected: `test` adds one. */
export interface PluginSuite {
  readonly cases: ReadonlyArray<ContractCase>
  readonly test: (name: string, check: (probe: PluginProbe) => Promise<void>) => void
  /** Runs a check against a probe of its own, for cases that compare two. */
  readonly withProbe: (check: (probe: PluginProbe) => Promise<void>) => Promise<void>
}

/** Starts an empty suite; each case has servers and an executor of its own. */
export const pluginSuite = <P extends Plugin>(make: MakePlugin<P>): PluginSuite => {
  const cases: Array<ContractCase> = []
  const withProbe = async (check: (probe: PluginProbe) => Promise<void>): Promise<void> => {
    const subject = await make()
    const servers = await startServers(subject.answer ?? echo)
    try {
      await withExecutor(subject, servers, check)
    } finally {
      await servers.upstream.close()
      await servers.elsewhere.close()
    }
  }
  return { cases, withProbe, test: (name, check) => void cases.push({ name, run: () => withProbe(check) }) }
}

const withExecutor = async <P extends Plugin>(
  { plugin, register, calls }: PluginUnderTest<P>,
  servers: Servers,
  check: (probe: PluginProbe) => Promise<void>,
): Promise<void> => {
  const events: Array<ExecutorEvent> = []
  const executor = await createExecutor<readonly [P]>({
    plugins: [plugin],
    providers: [memoryProvider()],
    egress: { allowHosts: [servers.upstream.host, servers.elsewhere.host], timeoutMs: 10_000 },
    onElicitation: "accept-all",
    onEvent: (event) => void events.push(event),
  })
  try {
    const integration = await register(executor, `${servers.upstream.origin}${basePath}`)
    const variables = integration.variables ?? ["token"]
    const values = Object.fromEntries(variables.map((variable) => [variable, canary(variable)]))
    const { address } = await executor.connections.create({
      owner: "org",
      integration: integration.slug,
      name: "contract",
      template: integration.template,
      values,
    })
    await check(new PluginProbe({ executor, address, servers, secrets: Object.values(values), events, calls }))
  } finally {
    await executor.close()
  }
}

/** The path below which every request of the plugin must stay. */
const basePath = "/api"

type ProbedExecutor = Pick<Executor, "tools" | "execute" | "connections">

interface ProbeParts {
  readonly executor: ProbedExecutor
  readonly address: string
  readonly servers: Servers
  readonly secrets: ReadonlyArray<string>
  readonly events: ReadonlyArray<ExecutorEvent>
  readonly calls: ReadonlyArray<PluginCall>
}

/** The executor with its plugin as the cases speak to it. */
export class PluginProbe {
  readonly address: string
  readonly upstream: FakeUpstream
  readonly elsewhere: FakeUpstream
  readonly secrets: ReadonlyArray<string>
  readonly scanner: CanaryScanner
  readonly events: ReadonlyArray<ExecutorEvent>
  readonly #executor: ProbedExecutor
  readonly #servers: Servers
  readonly #calls: ReadonlyArray<PluginCall>

  constructor({ executor, address, servers, secrets, events, calls }: ProbeParts) {
    this.#executor = executor
    this.#servers = servers
    this.#calls = calls
    this.address = address
    this.upstream = servers.upstream
    this.elsewhere = servers.elsewhere
    this.secrets = secrets
    this.scanner = new CanaryScanner(secrets)
    this.events = events
  }

  get calls(): ReadonlyArray<PluginCall> {
    assert.ok(this.#calls.length > 0, "The contract needs at least one call.")
    return this.#calls
  }

  get tools(): Executor["tools"] {
    return this.#executor.tools
  }

  list(): Promise<ReadonlyArray<Tool>> {
    return soon(this.tools.list(), "Listing tools")
  }

  /** Asks the plugin for its tools anew. */
  async refresh(): Promise<ReadonlyArray<Tool>> {
    const [, integration = "", owner = "", name = ""] = this.address.split(".")
    assert.ok(owner === "org" || owner === "user")
    return soon(this.#executor.connections.refresh({ integration, owner, name }), "Refreshing tools")
  }

  execute({ tool, args }: PluginCall, options?: ExecuteOptions): Promise<ToolResult> {
    return soon(this.#executor.execute(`${this.address}.${tool}`, args, options), `The call of ${tool}`)
  }

  /** The result of a call, or what it rejected with; either is an end that the contract allows. */
  attempt(call: PluginCall): Promise<unknown> {
    return this.execute(call).catch((thrown: unknown) => thrown)
  }

  async expectSuccess(call: PluginCall): Promise<ToolResult> {
    const result = await this.execute(call)
    assert.ok(result.ok, `${call.tool} failed against the given answer: ${JSON.stringify(result)}`)
    return result
  }

  /** From now on every request is answered so, whatever it asks for. */
  answerWith(answer: UpstreamAnswer): void {
    this.#servers.answerWith(() => answer)
  }

  /** Everything that was ever sent stayed at the upstream, below the base path, with one host and no header smuggled in. */
  expectOnlyAtHome(after: string): void {
    assert.equal(this.elsewhere.requests.length, 0, `${after} sent a request to another origin.`)
    for (const { url, headers } of this.upstream.requests) {
      assert.equal(headers.host, this.upstream.host, `${after} changed the Host header.`)
      assert.equal(headers["x-injected"], undefined, `${after} smuggled a header in.`)
      assert.ok(
        url === basePath || url.startsWith(`${basePath}/`) || url.startsWith(`${basePath}?`),
        `${after} left the base path ${basePath}: ${url.slice(0, 200)}`,
      )
    }
  }
}

/** The upstream and the host elsewhere, which answers everything and must not be asked. */
interface Servers {
  readonly upstream: FakeUpstream
  readonly elsewhere: FakeUpstream
  readonly answerWith: (handle: UpstreamHandler) => void
}

const startServers = async (answer: UpstreamHandler): Promise<Servers> => {
  let handle = answer
  return {
    upstream: await fakeUpstream((request) => handle(request)),
    elsewhere: await fakeUpstream(echo),
    answerWith: (next) => {
      handle = next
    },
  }
}

const echo: UpstreamHandler = ({ method, url, rawHeaders, text }) => ({
  headers: { "x-echo": url.slice(0, 2000) },
  json: { method, url, headers: rawHeaders, body: text },
})
