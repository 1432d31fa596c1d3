/**
 * Lists and calls tools: finds or makes the client for the caller, and tells what came of it.
 */
import { createHash } from "node:crypto"
import type {
  ConnectionHandle,
  InvokeToolInput,
  ReleaseInput,
  ResolveToolsInput,
  ToolDef,
  ToolResult,
} from "@keyward/core"
import {
  ProtocolError,
  ProtocolErrorCode,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
  type Tool,
} from "@modelcontextprotocol/client"
import { type CallScope, scopeOf } from "./call/callScope.ts"
import { readContent } from "./call/content.ts"
import { type RequiredVisit, visit, webPage } from "./call/elicitation.ts"
import { clientFailure, isUnknownTool, toolFailure, toolUnavailable, visitRequired } from "./call/failures.ts"
import { definitionOf, toToolDefs } from "./catalogTools.ts"
import { connectLink, type LinkPurpose, type LinkSettings } from "./link/connectLink.ts"
import { LinkPool, type LinkPoolLimits } from "./link/LinkPool.ts"
import type { McpLink } from "./link/McpLink.ts"
import { RestartLimit } from "./link/RestartLimit.ts"
import { configOf } from "./server/McpConfig.ts"

/** How many clients there may be, and how often a process is started again. */
export interface McpCallsLimits extends LinkPoolLimits {
  readonly mostRestarts: number
}

/** See the file's header. */
export class McpCalls {
  readonly #settings: LinkSettings
  readonly #limits: McpCallsLimits
  /** One plugin may be that of several executors, which begin and end on their own. */
  readonly #pools = new WeakMap<object, LinkPool>()
  readonly #restarts: RestartLimit

  constructor(settings: LinkSettings, limits: McpCallsLimits) {
    this.#settings = settings
    this.#limits = limits
    this.#restarts = new RestartLimit(limits.mostRestarts)
  }

  /** The tools that a connection's account is shown. */
  async listTools(input: ResolveToolsInput): Promise<ReadonlyArray<ToolDef>> {
    const { handle, reportFault } = input
    const scope = scopeOf(input)
    try {
      const tools =
        handle === null
          ? await this.#listOnce(input, scope)
          : await this.#repeating(handle, input, scope, (link) => link.listTools(scope))
      return toToolDefs(tools, reportFault)
    } catch (error) {
      throw scope.failure ?? error
    } finally {
      scope.isOver = true
    }
  }

  /** Calls a tool. What core knows better, such as a credential that was turned down, is thrown. */
  async callTool(input: InvokeToolInput): Promise<ToolResult> {
    const scope = scopeOf(input)
    const { tool, args, handle } = input
    const call = { name: tool.name, args, definition: definitionOf(tool), onProgress: input.progress }
    try {
      const result = await this.#repeating(handle, input, scope, (link) =>
        afterVisits(scope, () => link.callTool(scope, call)),
      )
      if (result.isError !== true) return { ok: true, data: readContent(result) }
      const failed = toolFailure(result)
      return isUnknownTool(tool.name, failed.error.message) ? unavailable(input) : failed
    } catch (error) {
      if (error instanceof VisitRequiredError) return visitRequired(error.urls)
      if (error instanceof ProtocolError) {
        if (unknownToolCodes.has(error.code) && isUnknownTool(tool.name, error.message)) return unavailable(input)
        // The catalog is older than what the server goes by.
        if (error.code === headerMismatch) handle.toolsChanged()
      }
      // A request that was not sent or not answered is explained by core.
      if (scope.failure !== undefined) throw scope.failure
      const failed = clientFailure(error)
      if (failed === undefined) throw error
      return failed
    } finally {
      scope.isOver = true
    }
  }

  /** Ends what was begun for a connection. */
  release({ executor, connection }: ReleaseInput): Promise<void> {
    return this.#poolOf(executor).release(connection)
  }

  /** Ends what was begun for an executor. */
  close(executor: object): Promise<void> {
    return this.#poolOf(executor).close()
  }

  #poolOf(executor: object): LinkPool {
    const known = this.#pools.get(executor)
    if (known !== undefined) return known
    const pool = new LinkPool(this.#limits)
    this.#pools.set(executor, pool)
    return pool
  }

  /** Lists with a client of its own, for a connection that is only about to be made. */
  async #listOnce(input: ResolveToolsInput, scope: CallScope): Promise<ReadonlyArray<Tool>> {
    const link = await connectLink(this.#settings, await purposeOf(input), scope)
    try {
      return await link.listTools(scope)
    } finally {
      void link.close()
    }
  }

  /** Does something with the caller's client, and once more with a new one when the server says that it did not do it. */
  async #repeating<A>(
    handle: ConnectionHandle,
    input: InvokeToolInput | ResolveToolsInput,
    scope: CallScope,
    run: (link: McpLink) => Promise<A>,
  ): Promise<A> {
    const link = await this.#linkOf(handle, input, scope)
    try {
      return await run(link)
    } catch (error) {
      if (scope.signal.aborted || !wasNotTaken(link, error)) throw error
      this.#poolOf(handle.executor).drop(handle.key, link)
    }
    scope.failure = undefined
    return run(await this.#linkOf(handle, input, scope))
  }

  async #linkOf(
    handle: ConnectionHandle,
    input: InvokeToolInput | ResolveToolsInput,
    scope: CallScope,
  ): Promise<McpLink> {
    const config = configOf(input.integration)
    const { key, generation } = handle
    // A process has its credential from when it was started; it is looked at with each call, and another one starts another process.
    const environment = config.transport === "http" ? nothing : await input.environment()
    const variant = config.transport === "http" ? generation : `${generation} ${digestOf(environment)}`
    const { fetch, toolsChanged, connection, isCurrent } = handle
    const pool = this.#poolOf(handle.executor)
    const link =
      pool.connected(key, variant) ??
      (await pool.get(key, {
        variant,
        connection,
        isCurrent,
        connect: () => this.#connect(key, { config, fetch, environment, onToolsChanged: () => toolsChanged() }, scope),
        isGivenUp: () => scope.signal.aborted,
        sharesFailures: config.transport === "stdio",
      }))
    link.listen()
    return link
  }

  #connect(key: string, purpose: LinkPurpose, scope: CallScope): Promise<McpLink> {
    if (purpose.config.transport === "http") return connectLink(this.#settings, purpose, scope)
    this.#restarts.check(key)
    return connectLink(this.#settings, { ...purpose, onClose: () => this.#restarts.ended(key) }, scope)
  }
}

/** Codes by which servers say that there is no such tool. */
const unknownToolCodes: ReadonlySet<number> = new Set([
  ProtocolErrorCode.InvalidParams,
  ProtocolErrorCode.MethodNotFound,
])

const headerMismatch = -32_020
const unsupportedRevision: number = ProtocolErrorCode.UnsupportedProtocolVersion
const urlElicitationRequired: number = ProtocolErrorCode.UrlElicitationRequired

const nothing: Readonly<Record<string, string>> = {}

/** Tells credentials of processes apart without keeping them. */
const digestOf = (environment: Readonly<Record<string, string>>): string =>
  createHash("sha256")
    .update(JSON.stringify(Object.entries(environment)))
    .digest("base64")

const purposeOf = async (input: ResolveToolsInput): Promise<LinkPurpose> => {
  const config = configOf(input.integration)
  const environment = config.transport === "http" ? nothing : await input.environment()
  return { config, fetch: input.fetch, environment, onToolsChanged: () => undefined }
}

const unavailable = ({ handle }: InvokeToolInput): ToolResult => {
  handle.toolsChanged()
  return toolUnavailable()
}

/** Whether a server says that it did not begin with a request, because the session or the revision that it was sent under is gone. */
const wasNotTaken = (link: McpLink, error: unknown): boolean => {
  if (error instanceof SdkHttpError) {
    const { status } = error
    // Servers that keep sessions in memory answer so after a restart; the specification wants a 404.
    return link.hasSession && (status === 404 || (status === 400 && /session/i.test(error.message)))
  }
  if (error instanceof ProtocolError) return error.code === unsupportedRevision
  return error instanceof SdkError && error.code === SdkErrorCode.NotConnected
}

class VisitRequiredError extends Error {
  readonly urls: ReadonlyArray<string>

  constructor(urls: ReadonlyArray<string>) {
    super("A person has to visit a page first.")
    this.urls = urls
  }
}

/** Calls, and where the server wants a person to visit pages first, has them visited and calls once more. */
const afterVisits = async <A>(scope: CallScope, call: () => Promise<A>): Promise<A> => {
  try {
    return await call()
  } catch (error) {
    const visits = visitsOf(error)
    if (visits === undefined) throw error
    for (const one of visits) {
      if ((await visit(scope, one)) !== "accept") throw new VisitRequiredError(visits.map(({ url }) => url))
    }
    try {
      return await call()
    } catch (again) {
      throw visitsOf(again) === undefined ? again : new VisitRequiredError(visits.map(({ url }) => url))
    }
  }
}

/** Nobody is sent from page to page for ever. */
const mostVisits = 5

const visitsOf = (error: unknown): ReadonlyArray<RequiredVisit> | undefined => {
  if (!(error instanceof ProtocolError) || error.code !== urlElicitationRequired) return undefined
  const { elicitations } = (error.data ?? {}) as { readonly elicitations?: unknown }
  if (!Array.isArray(elicitations)) return undefined
  const visits = elicitations.flatMap((one: Partial<RequiredVisit> | null | undefined) => {
    const url = webPage(one?.url)
    return url === undefined || typeof one?.message !== "string" ? [] : [{ url, message: one.message }]
  })
  return visits.length === 0 ? undefined : visits.slice(0, mostVisits)
}
