/**
 * One call of a plugin: the view that the plugin gets, the limit, and what becomes of whatever comes back.
 *
 * Made by the tool invoker once the arguments are valid and the connection may be used.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { type Connection, toConnection } from "../../connection/Connection.ts"
import { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import { isHttpError } from "../../http/HttpError.ts"
import type { IntegrationRecord } from "../../integration/Integration.ts"
import type { ConnectionHandle, Fetch, InvokeToolInput, Plugin, Send } from "../../integration/Plugin.ts"
import {
  elicit,
  type ElicitationHandler,
  type ElicitationResponse,
  type PluginElicitation,
} from "../../tool/Elicitation.ts"
import type { ToolDef, ToolProgress } from "../../tool/Tool.ts"
import { toolAddress } from "../../tool/ToolAddress.ts"
import { type ToolFailure, type ToolResult, toToolResult } from "../../tool/ToolResult.ts"
import { shownArguments } from "../audit/shownArguments.ts"
import { callEnvironment } from "../authorize/callEnvironment.ts"
import { SelectedHandle } from "../authorize/ConnectionHandle.ts"
import { type CredentialSource, readOnce, storedCredential } from "../authorize/CredentialSource.ts"
import { authorizedFetch, authorizedSend } from "../authorize/pluginFetch.ts"
import type { Resources } from "../Resources.ts"
import { runPromise } from "../runPromise.ts"
import { type SelectedConnection } from "../select/ConnectionSelector.ts"
import { relistTools } from "../tools/resolveTools.ts"
import { callHandler } from "./callHandler.ts"
import { CallRecord } from "./CallRecord.ts"
import { CallStop } from "./CallStop.ts"
import type { CallTrace } from "./CallTrace.ts"
import { Deadline } from "./Deadline.ts"
import { credentialFailure, httpFailure } from "./toolFailures.ts"

/** Options of one call. */
export interface ExecuteOptions {
  /** Stops the call and closes its socket; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /**
   * Who answers questions during this call, on an agent's executor too. Default: the executor's. The host's choice and never a model's:
   * with `"accept-all"` a call agrees to itself.
   */
  readonly onElicitation?: ElicitationHandler | undefined
  /** What the call belongs to, in the host's words: approvals can be given for a conversation. Never a model's choice. */
  readonly conversation?: string | undefined
  /** Hears how far the call is, where its service says so. What it throws is ignored. */
  readonly onProgress?: ((progress: ToolProgress) => void) | undefined
}

/**
 * A plugin's view of the call, and what happens to it.
 *
 * Its properties are its own, so that plugins may spread it or take some and pass on the rest; what a tool that sends nothing
 * does not need is made when it is first used.
 */
export class ToolCall implements InvokeToolInput {
  readonly tool: ToolDef
  readonly args: Readonly<Record<string, unknown>>
  readonly integration: IntegrationRecord
  readonly connection: Connection
  readonly signal: AbortSignal
  readonly handle: ConnectionHandle
  readonly environment: () => Promise<Readonly<Record<string, string>>>
  readonly fetch: Fetch
  readonly send: Send
  readonly elicit: (request: PluginElicitation) => Promise<ElicitationResponse>
  readonly progress: InvokeToolInput["progress"]
  readonly #resources: Resources
  readonly #selected: SelectedConnection
  readonly #onElicitation: ElicitationHandler | undefined
  readonly #record: CallRecord
  readonly #stop = new CallStop()
  readonly #trace: CallTrace | undefined
  #source: CredentialSource | undefined
  #startedDeadline: Deadline | undefined

  constructor(
    resources: Resources,
    selected: SelectedConnection,
    tool: ToolDef,
    args: Readonly<Record<string, unknown>>,
    options: ExecuteOptions | undefined,
    trace: CallTrace | undefined,
  ) {
    const { row, compiled, integration } = selected
    this.tool = tool
    this.args = args
    this.integration = integration
    this.connection = toConnection(row, compiled.origins)
    this.signal = this.#stop.signal
    this.handle = new SelectedHandle(resources, selected, () => {
      const plugin = resources.plugins.get(integration.plugin)
      if (plugin !== undefined) relistTools(resources, plugin, selected, true)
    })
    this.environment = () => callEnvironment(this.#credential, this.#record, this.#stop)
    this.fetch = (input, init) =>
      authorizedFetch(resources, compiled, this.#credential, this.#record, this.#stop)(input, init)
    this.send = (request) => authorizedSend(resources, compiled, this.#credential, this.#record, this.#stop)(request)
    this.elicit = (request) => this.#ask(request)
    const onProgress = options?.onProgress
    this.progress = onProgress === undefined ? undefined : (progress) => this.#report(onProgress, progress)
    this.#resources = resources
    this.#selected = selected
    this.#onElicitation = options?.onElicitation ?? resources.onElicitation
    this.#record = new CallRecord(this.connection.address, trace)
    this.#trace = resources.keepsArguments ? trace : undefined
  }

  /** Hands the call to the plugin and turns whatever comes back into a result. */
  invoke(plugin: Plugin): Effect.Effect<ToolResult> {
    const trace = this.#trace
    return trace === undefined
      ? this.#invoked(plugin)
      : Effect.ensuring(
          Effect.suspend(() => this.#invoked(plugin)),
          Effect.sync(() => {
            trace.shown = shownArguments(this.args, this.#record, this.#selected.row)
          }),
        )
  }

  #invoked(plugin: Plugin): Effect.Effect<ToolResult> {
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

  /** What the service says of its progress may hold what it was sent. */
  #report(onProgress: (progress: ToolProgress) => void, progress: ToolProgress): void {
    if (this.signal.aborted) return
    try {
      onProgress(this.#record.redactDeep(progress) as ToolProgress)
    } catch {
      // A call must not fail because it was watched.
    }
  }

  async #ask(question: PluginElicitation): Promise<ElicitationResponse> {
    // A service may put into its question what it was sent.
    const request = this.#record.redactDeep(question) as PluginElicitation
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
        this.#abandon()
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
        this.#abandon()
      })
    })
  }

  #ran(effect: Effect.Effect<unknown, unknown>): Effect.Effect<ToolResult> {
    const expired = Effect.callback<ToolResult>((resume) => {
      this.#deadline.start(() => {
        resume(Effect.succeed(this.#timedOut()))
        this.#abandon()
      })
      return Effect.sync(() => this.#deadline.clear())
    })
    return callHandler(() => effect).pipe(
      Effect.match({ onFailure: (error) => this.#thrown(error), onSuccess: (value) => this.#returned(value) }),
      Effect.raceFirst(expired),
      Effect.onInterrupt(() => Effect.sync(() => this.#abandon())),
    )
  }

  #abandon(): void {
    this.#stop.stop(new DOMException("The tool call was stopped.", "AbortError"))
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
