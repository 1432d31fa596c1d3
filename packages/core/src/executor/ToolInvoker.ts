/**
 * One tool call from its address to its result; the order of things is that of docs/concepts/architecture.md.
 *
 * What the model should read comes back as a `ToolResult`; what the host must handle fails with a typed error.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { type Connection, toConnection } from "../connection/Connection.ts"
import { ConnectionCredentialError } from "../connection/ConnectionError.ts"
import { connectionAddress } from "../connection/ConnectionRef.ts"
import { EgressTimeoutError, type HttpError, isHttpError, NetworkError } from "../http/HttpError.ts"
import type { Identity } from "../identity/Identity.ts"
import type { IntegrationRecord } from "../integration/Integration.ts"
import type { PluginNotRegisteredError, ToolResolutionError } from "../integration/IntegrationError.ts"
import type { Fetch, InvokeToolInput, Plugin, Send } from "../integration/Plugin.ts"
import {
  elicit,
  type ElicitationDeclinedError,
  type ElicitationHandler,
  type ElicitationResponse,
  type PluginElicitation,
  requireApproval,
} from "../tool/Elicitation.ts"
import type { ToolDef } from "../tool/Tool.ts"
import { parseToolAddress, toolAddress } from "../tool/ToolAddress.ts"
import { type InvalidToolError, ToolNotFoundError } from "../tool/ToolError.ts"
import { type ToolFailure, type ToolResult, toToolResult } from "../tool/ToolResult.ts"
import { type ArgumentIssue, knownValidator, validatorOf } from "./ArgumentValidator.ts"
import { type CredentialSource, readOnce, storedCredential } from "./AuthorizedFetch.ts"
import { CallRecord, rejectionStatus } from "./CallRecord.ts"
import { authorizedFetch, authorizedSend, callHandler, catalogOf, describeTool } from "./Catalogs.ts"
import {
  pluginOf,
  selectConnection,
  type SelectedConnection,
  type SelectError,
  usableTemplate,
} from "./ConnectionSelector.ts"
import type { Resources } from "./Resources.ts"
import { runPromise } from "./runPromise.ts"

/** Options of one call. */
export interface ExecuteOptions {
  /** Stops the call and closes its socket; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Who answers questions during this call. Default: the executor's. */
  readonly onElicitation?: ElicitationHandler | undefined
}

/** What a call can fail with, beyond what its result says. */
export type ExecuteError =
  | SelectError
  | ToolNotFoundError
  | PluginNotRegisteredError
  | ToolResolutionError
  | InvalidToolError
  | ElicitationDeclinedError

/** Executes the tool at an address; see the file's header. */
export const executeTool = (
  resources: Resources,
  identity: Identity,
  address: string,
  args: unknown,
  options: ExecuteOptions | undefined,
): Effect.Effect<ToolResult, ExecuteError> => {
  const parsed = parseToolAddress(address)
  if (parsed === undefined) {
    // Addresses come from models, which also make up what is no text.
    const given: unknown = address
    return Effect.fail(new ToolNotFoundError({ address: String(given), suggestions: [] }))
  }
  return Effect.flatMap(selectConnection(resources, identity, parsed.connection), (selected) => {
    const called = callTool(resources, selected, parsed.tool, args === undefined ? noArguments : args, options)
    return resources.hasListener ? observed(resources, selected, parsed.tool, called) : called
  })
}

const noArguments = {}

const callTool = Effect.fnUntraced(function* (
  resources: Resources,
  selected: SelectedConnection,
  name: string,
  args: unknown,
  options: ExecuteOptions | undefined,
): Effect.fn.Return<ToolResult, ExecuteError> {
  const plugin = yield* pluginOf(resources, selected.integration)
  const catalog = yield* resultOf(catalogOf(resources, selected))
  if ("ok" in catalog) return catalog
  const tool = catalog.get(name)
  if (tool === undefined) {
    const suggestions = catalog.near(name, 5).map((near) => toolAddress(selected.row, near))
    return yield* Effect.fail(new ToolNotFoundError({ address: toolAddress(selected.row, name), suggestions }))
  }
  const issues = (knownValidator(tool) ?? (yield* validatorFor(resources, plugin, selected.integration, tool)))(args)
  if (issues.length > 0) return invalidArguments(issues)
  const usable = yield* resultOf(usableTemplate(selected))
  if ("ok" in usable) return usable
  const call = new ToolCall(resources, selected, tool, args as Record<string, unknown>, options)
  if (tool.requiresApproval === true) yield* call.approval()
  return yield* call.invoke(plugin)
})

/** A plugin's view of the call, made of what it asks for: a tool that sends nothing pays for no fetch. */
class ToolCall implements InvokeToolInput {
  readonly tool: ToolDef
  readonly args: Readonly<Record<string, unknown>>
  readonly integration: IntegrationRecord
  readonly #resources: Resources
  readonly #selected: SelectedConnection
  readonly #onElicitation: ElicitationHandler | undefined
  readonly #record: CallRecord
  #source: CredentialSource | undefined
  #abort: AbortController | undefined
  #startedDeadline: Deadline | undefined

  constructor(
    resources: Resources,
    selected: SelectedConnection,
    tool: ToolDef,
    args: Readonly<Record<string, unknown>>,
    options: ExecuteOptions | undefined,
  ) {
    this.tool = tool
    this.args = args
    this.integration = selected.integration
    this.#resources = resources
    this.#selected = selected
    this.#onElicitation = options?.onElicitation ?? resources.onElicitation
    this.#record = new CallRecord(connectionAddress(selected.row))
    for (const { name, property } of ownGetters) Object.defineProperty(this, name, property)
  }

  get connection(): Connection {
    return toConnection(this.#selected.row, this.#selected.compiled.origins)
  }

  get signal(): AbortSignal {
    return (this.#abort ??= new AbortController()).signal
  }

  get fetch(): Fetch {
    return authorizedFetch(this.#resources, this.#selected.compiled, this.#credential, this.#record, () => this.signal)
  }

  get send(): Send {
    return authorizedSend(this.#resources, this.#selected.compiled, this.#credential, this.#record, () => this.signal)
  }

  get elicit(): (request: PluginElicitation) => Promise<ElicitationResponse> {
    return async (request) => {
      this.#deadline.pause()
      try {
        return await runPromise(
          Effect.timeoutOrElse(elicit(this.#onElicitation, { ...request, tool: this.#address }), {
            duration: this.#resources.elicitationTimeoutMs,
            orElse: () => Effect.succeed<ElicitationResponse>({ action: "cancel" }),
          }),
          this.signal,
        )
      } finally {
        this.#deadline.resume()
      }
    }
  }

  /** Asks a person whether the call may be made. */
  approval(): Effect.Effect<void, ElicitationDeclinedError> {
    const { tool, args } = this
    const what = tool.description === undefined ? tool.name : `${tool.name}: ${tool.description}`
    return requireApproval(
      this.#onElicitation,
      { kind: "approval", message: `Allow ${what} on ${this.integration.name}?`, tool: this.#address, args },
      this.#resources.elicitationTimeoutMs,
    )
  }

  /** Hands the call to the plugin and turns whatever comes back into a result. */
  invoke(plugin: Plugin): Effect.Effect<ToolResult> {
    let returned: unknown
    try {
      returned = plugin.invokeTool(this)
    } catch (error) {
      return Effect.succeed(this.#thrown(error))
    }
    if (Predicate.isPromiseLike(returned)) return this.#settled(returned)
    if (Effect.isEffect(returned)) return this.#ran(returned as Effect.Effect<unknown, unknown>)
    return Effect.succeed(this.#returned(returned))
  }

  get #address(): string {
    return toolAddress(this.#selected.row, this.tool.name)
  }

  get #deadline(): Deadline {
    return (this.#startedDeadline ??= new Deadline(this.#resources.toolTimeoutMs))
  }

  get #credential(): CredentialSource {
    return (this.#source ??= readOnce(storedCredential(this.#resources, this.#selected)))
  }

  #settled(promise: PromiseLike<unknown>): Effect.Effect<ToolResult> {
    return Effect.callback((resume) => {
      const deadline = this.#deadline
      deadline.start(() => {
        resume(Effect.succeed(this.#timedOut()))
        this.#stop()
      })
      promise.then(
        (value) => {
          deadline.clear()
          resume(Effect.succeed(this.#returned(value)))
        },
        (error: unknown) => {
          deadline.clear()
          resume(Effect.succeed(this.#thrown(error)))
        },
      )
      return Effect.sync(() => {
        deadline.clear()
        this.#stop()
      })
    })
  }

  #ran(effect: Effect.Effect<unknown, unknown>): Effect.Effect<ToolResult> {
    const expired = Effect.callback<ToolResult>((resume) => {
      this.#deadline.start(() => {
        resume(Effect.succeed(this.#timedOut()))
        this.#stop()
      })
      return Effect.sync(() => this.#deadline.clear())
    })
    return callHandler(() => effect).pipe(
      Effect.match({ onFailure: (error) => this.#thrown(error), onSuccess: (value) => this.#returned(value) }),
      Effect.raceFirst(expired),
      Effect.onInterrupt(() => Effect.sync(() => this.#stop())),
    )
  }

  #stop(): void {
    this.#abort?.abort(new DOMException("The tool call was stopped.", "AbortError"))
  }

  #returned(value: unknown): ToolResult {
    const result = toToolResult(value)
    const { failure } = this.#record
    if (result.ok) {
      // Plain data made of a response that turned the credential down is not the answer; a plugin that means it says `ok`.
      if (failure !== undefined && result !== value) return credentialFailure(failure)
      return this.#record.hasRawResponse ? (this.#record.redactDeep(result) as ToolResult) : result
    }
    const error = this.#record.redactDeep(result.error) as ToolFailure
    return failure === undefined ? { ok: false, error } : credentialFailure(failure, error)
  }

  #thrown(error: unknown): ToolResult {
    const { failure } = this.#record
    if (error instanceof ConnectionCredentialError) return credentialFailure(error)
    if (failure !== undefined) return credentialFailure(failure)
    if (isHttpError(error)) return httpFailure(error)
    const text = error instanceof Error ? error.message : "the plugin failed without saying why."
    return {
      ok: false,
      // Redacted before it is cut: half a secret is not recognised any more.
      error: { code: "tool_failed", message: this.#record.redact(text).slice(0, 2000), retryable: false },
    }
  }

  #timedOut(): ToolResult {
    const { toolTimeoutMs } = this.#resources
    const message = `${this.tool.name} did not finish within ${toolTimeoutMs} ms. It may have had an effect; check before repeating it.`
    return { ok: false, error: { code: "timeout", message, retryable: true } }
  }
}

/**
 * The getters of {@link ToolCall} as properties of its own, so that a plugin may spread the call, or take some and pass on the rest.
 *
 * Defined one by one from descriptors that all calls share: an object literal with getters costs three times as much.
 */
const ownGetters = (["connection", "fetch", "send", "signal", "elicit"] as const).map((name) => {
  const inherited = Object.getOwnPropertyDescriptor(ToolCall.prototype, name)
  return { name, property: { ...inherited, enumerable: true } }
})

/** A limit that stands still while a person is being asked. */
class Deadline {
  #expire: (() => void) | undefined
  #remainingMs: number
  #startedAt = 0
  #timer: NodeJS.Timeout | undefined
  #questions = 0

  constructor(limitMs: number) {
    this.#remainingMs = limitMs
  }

  /** A question may have been asked before: a plugin runs up to its first wait before anybody waits for it. */
  start(expire: () => void): void {
    this.#expire = expire
    this.#run()
  }

  pause(): void {
    this.#questions += 1
    this.#halt()
  }

  resume(): void {
    this.#questions -= 1
    this.#run()
  }

  clear(): void {
    this.#expire = undefined
    this.#halt()
  }

  #run(): void {
    if (this.#expire === undefined || this.#questions > 0 || this.#timer !== undefined) return
    this.#startedAt = performance.now()
    this.#timer = setTimeout(this.#expire, Math.max(0, this.#remainingMs))
  }

  #halt(): void {
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#remainingMs -= performance.now() - this.#startedAt
  }
}

const validatorFor = (resources: Resources, plugin: Plugin, integration: IntegrationRecord, tool: ToolDef) =>
  Effect.flatMap(describeTool(resources, plugin, integration, tool), ({ inputSchema }) =>
    validatorOf(integration.slug, tool, inputSchema),
  )

/** Turns a credential's failure into the result that a model reads; every other failure stays one. */
const resultOf = <A, E>(
  effect: Effect.Effect<A, E>,
): Effect.Effect<A | Extract<ToolResult, { ok: false }>, Exclude<E, ConnectionCredentialError>> =>
  Effect.catch(effect, (error) =>
    error instanceof ConnectionCredentialError
      ? Effect.succeed(credentialFailure(error))
      : Effect.fail(error as Exclude<E, ConnectionCredentialError>),
  )

const credentialFailure = (
  failure: ConnectionCredentialError,
  upstream?: ToolFailure,
): Extract<ToolResult, { ok: false }> => ({
  ok: false,
  error: {
    code: failure.code,
    message: failure.message,
    ...statusOf(failure, upstream),
    retryable: failure.retryable,
    details: {
      category: "authentication",
      connection: failure.connection,
      reason: failure.reason,
      nextStep: failure.nextStep,
      ...(failure.authRequired ? { authRequired: true } : {}),
      ...(failure.authorizeUrl === undefined ? {} : { authorizeUrl: failure.authorizeUrl }),
      ...(failure.retryAfterMs === undefined ? {} : { retryAfterMs: failure.retryAfterMs }),
      ...(upstream === undefined ? {} : { upstream: { message: upstream.message, details: upstream.details } }),
    },
  },
})

const statusOf = (
  failure: ConnectionCredentialError,
  upstream: ToolFailure | undefined,
): { readonly status?: number } => {
  const status = upstream?.status ?? rejectionStatus(failure)
  return status === undefined ? {} : { status }
}

const httpFailure = (error: HttpError): ToolResult => ({
  ok: false,
  error: {
    code: httpCodes[error._tag],
    message: error.message,
    retryable: error instanceof EgressTimeoutError || error instanceof NetworkError,
  },
})

const httpCodes: Readonly<Record<HttpError["_tag"], string>> = {
  OriginNotAllowedError: "origin_not_allowed",
  AddressNotAllowedError: "address_not_allowed",
  RedirectRefusedError: "redirect_refused",
  EgressTimeoutError: "timeout",
  ResponseTooLargeError: "response_too_large",
  NetworkError: "network_error",
  InvalidRequestError: "invalid_request",
}

const invalidArguments = (issues: ReadonlyArray<ArgumentIssue>): ToolResult => ({
  ok: false,
  error: {
    code: "invalid_arguments",
    message: `The arguments do not fit the tool's input schema: ${issues
      .map(({ path, expected }) => `${path === "" ? "the arguments" : path} ${expected}`)
      .join("; ")}. Nothing was sent; correct them and call again.`,
    retryable: false,
    details: { issues },
  },
})

const observed = (
  resources: Resources,
  { identity, row }: SelectedConnection,
  tool: string,
  called: Effect.Effect<ToolResult, ExecuteError>,
): Effect.Effect<ToolResult, ExecuteError> =>
  Effect.suspend(() => {
    const startedAt = performance.now()
    const report = (outcome: string): void => {
      resources.emit(identity, {
        type: "tool.called",
        connection: connectionAddress(row),
        integration: row.integration,
        owner: row.owner,
        tool,
        outcome,
        durationMs: performance.now() - startedAt,
      })
    }
    return called.pipe(
      Effect.tap((result) =>
        Effect.sync(() => {
          report(result.ok ? "ok" : result.error.code)
          if (!result.ok) reportCredentialFailure(resources, identity, row, result.error)
        }),
      ),
      Effect.tapError((error) => Effect.sync(() => report(error._tag))),
      Effect.onInterrupt(() => Effect.sync(() => report("aborted"))),
    )
  })

const reportCredentialFailure = (
  resources: Resources,
  identity: Identity,
  row: SelectedConnection["row"],
  { code, details }: ToolFailure,
): void => {
  const { category, reason } = (details ?? {}) as { readonly category?: unknown; readonly reason?: unknown }
  if (category !== "authentication") return
  resources.emit(identity, {
    type: "credential.failed",
    connection: connectionAddress(row),
    integration: row.integration,
    owner: row.owner,
    code,
    reason: String(reason),
  })
}
