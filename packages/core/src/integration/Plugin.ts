/**
 * The contract between Keyward and the plugins that teach it kinds of services.
 *
 * A plugin turns arguments into requests and responses into results. It is handed an authorized `fetch` and never needs to
 * see a secret. Handlers may return a value, a Promise or an Effect.
 */
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { Connection } from "../connection/Connection.ts"
import type { ConnectionRef } from "../connection/ConnectionRef.ts"
import type { Identity } from "../identity/Identity.ts"
import type { ProbeOAuthInput, ProbeResult } from "../oauth/Discovery.ts"
import type { ElicitationResponse, PluginElicitation } from "../tool/Elicitation.ts"
import type { ToolDef, ToolProgress, ToolSchema } from "../tool/Tool.ts"
import type { Integration, IntegrationInput, IntegrationRecord } from "./Integration.ts"

/** What a handler may return. */
export type HandlerResult<A> = A | PromiseLike<A> | Effect.Effect<A, unknown>

/** The standard `fetch`. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** A request for {@link Send}: plain values, for plugins that make many. */
export interface SendRequest {
  /** Default `GET`. */
  readonly method?: string | undefined
  /** Absolute, or relative to the integration's base URL. */
  readonly url: string | URL
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | Uint8Array | FormData | URLSearchParams | ReadableStream<Uint8Array> | null | undefined
  readonly signal?: AbortSignal | undefined
  /** Sends without the credential, for operations that are open to anybody. Origins stay bound. */
  readonly anonymous?: boolean | undefined
}

/** The answer to a {@link SendRequest}; one of the readers may be used, once. Secrets that the service echoes are redacted. */
export interface SentResponse {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Where the response came from after redirects. */
  readonly url: string
  text(): Promise<string>
  json(): Promise<unknown>
  bytes(): Promise<Uint8Array>
}

/** An authorized request without the cost of `Request` and `Response`. Rejects as the authorized `fetch` does. */
export type Send = (request: SendRequest) => Promise<SentResponse>

/** What of a connection outlasts one call: for plugins that keep something open to the service, such as a session. */
export interface ConnectionHandle {
  /** The same text for the same tenant, caller and connection. To be compared, not to be read. */
  readonly key: string
  /** The same text for the same connection, whoever calls, as `release` is told it. To be compared, not to be read. */
  readonly connection: string
  /** The same object throughout one executor; another executor that has the same plugin has another one. To be compared, not to be read. */
  readonly executor: object
  /** Another text with each revision of the integration and each credential. Holds no secret. */
  readonly generation: string
  /** Authorized as the call's `fetch`, and not ended with the call: the connection is looked up with each request. */
  readonly fetch: Fetch
  /** Says that the tools have changed. They are listed again in the background; until then those that are known are served. */
  readonly toolsChanged: () => void
  /**
   * Whether the caller may still use the connection, with the credential and the revision of when this handle was made: for whoever keeps
   * something open, now and then, as other processes remove connections too. Rejects while the records cannot be read.
   */
  readonly isCurrent: () => Promise<boolean>
}

/** What `resolveTools` is handed. */
export interface ResolveToolsInput {
  readonly integration: IntegrationRecord
  /** The connection whose tools are asked for; `null` where the catalog is the integration's. */
  readonly connection: Connection | null
  /** Authorized for that connection; without one, unauthenticated. */
  readonly fetch: Fetch
  readonly send: Send
  readonly signal: AbortSignal
  /** `null` while the connection is not there yet, and where the catalog is the integration's. */
  readonly handle: ConnectionHandle | null
  /** As in {@link InvokeToolInput}. */
  readonly environment: () => Promise<Readonly<Record<string, string>>>
  /**
   * Tells the host of something that the service lists and that is left out of the tools, in a sentence: the event `tools.faulty`. What
   * could not be listed at all is a failure instead.
   */
  readonly reportFault: (fault: string) => void
}

/** What `describeTool` is handed. */
export interface DescribeToolInput {
  readonly integration: IntegrationRecord
  readonly tool: ToolDef
}

/** What `describeTool` answers: the schemas that the catalog left out. */
export type ToolDescription = Pick<ToolSchema, "inputSchema" | "inputTypeScript" | "outputTypeScript"> & {
  readonly outputSchema?: ToolSchema["outputSchema"] | undefined
}

/** What `invokeTool` is handed. Arguments have been checked against the input schema. */
export interface InvokeToolInput {
  readonly tool: ToolDef
  readonly args: Readonly<Record<string, unknown>>
  readonly integration: IntegrationRecord
  readonly connection: Connection
  readonly fetch: Fetch
  readonly send: Send
  /** Aborted when the caller gave up or the limit passed. */
  readonly signal: AbortSignal
  readonly handle: ConnectionHandle
  /**
   * The variables that the connection's template places in the environment (`env`), with the credential in clear, on an object without a
   * prototype: for the process that the plugin starts, and nothing else. Read anew with each call of this function.
   */
  readonly environment: () => Promise<Readonly<Record<string, string>>>
  /** Puts a question to a person; declined when nobody can answer. */
  readonly elicit: (request: PluginElicitation) => Promise<ElicitationResponse>
  /** Tells whoever made the call how far it is; `undefined` when nobody wants to know. */
  readonly progress: ((progress: ToolProgress) => void) | undefined
}

/** What `close` is handed. */
export interface ClosePluginInput {
  /** Which executor, as on the handles of its connections. */
  readonly executor: object
}

/** What `release` is handed. */
export interface ReleaseInput {
  /** Which executor, as on the handles of its connections. */
  readonly executor: object
  /** Which connection, as on its handles. */
  readonly connection: string
}

/** What a plugin's extension can do, for Promise authors. Everything is seen as the executor's identity sees it. */
export interface PluginContext {
  readonly identity: Identity
  readonly integrations: {
    /** Registers an integration of this plugin, or updates it in place; connections stay. */
    register(input: IntegrationInput): Promise<Integration>
    get(slug: string): Promise<IntegrationRecord | null>
    list(): Promise<ReadonlyArray<Integration>>
    remove(slug: string): Promise<void>
  }
  readonly connections: {
    /** A `fetch` authorized for a connection, as `executor.connections.fetch`: for reading what only an account may read. */
    fetch(ref: ConnectionRef): Fetch
    /** The value of the variable `token`. For plugins that must see a secret; `fetch` is the better way. */
    resolveValue(ref: ConnectionRef): Promise<string>
    /** Every value by variable, on an object without a prototype. */
    resolveValues(ref: ConnectionRef): Promise<Readonly<Record<string, string>>>
  }
  readonly oauth: {
    /** Which authorization server a URL leads to; as `executor.oauth.probe`. */
    probe(input: ProbeOAuthInput): Promise<ProbeResult>
  }
  /** Sends without any credential, under the same address policy and limits. For fetching documents. */
  readonly fetch: Fetch
}

/** {@link PluginContext} for authors who write with Effect; secrets stay redacted. */
export interface EffectPluginContext {
  readonly identity: Identity
  readonly integrations: {
    register(input: IntegrationInput): Effect.Effect<Integration, PluginContextError>
    get(slug: string): Effect.Effect<IntegrationRecord | null, PluginContextError>
    list(): Effect.Effect<ReadonlyArray<Integration>, PluginContextError>
    remove(slug: string): Effect.Effect<void, PluginContextError>
  }
  readonly connections: {
    fetch(ref: ConnectionRef): Fetch
    resolveValue(ref: ConnectionRef): Effect.Effect<Redacted.Redacted, PluginContextError>
    resolveValues(ref: ConnectionRef): Effect.Effect<ReadonlyMap<string, Redacted.Redacted>, PluginContextError>
  }
  readonly oauth: {
    probe(input: ProbeOAuthInput): Effect.Effect<ProbeResult, PluginContextError>
  }
  readonly fetch: Fetch
}

/** Any of the tagged errors that the executor's methods fail with. */
export type PluginContextError = Error & { readonly _tag: string; readonly httpStatus: number }

/** The handlers that both kinds of plugins share. */
export interface PluginHandlers {
  /** Names the plugin on its integrations and its extension on the executor: a JavaScript identifier. */
  readonly id: string
  /** Raise it when the tools made of the same config change, so that stored catalogs are made anew. */
  readonly version?: string | undefined
  /**
   * Whether every connection of an integration has the same tools. `integration`: resolved once per revision, with
   * `connection: null`. `connection` (default): resolved for each connection, at create and at refresh.
   */
  readonly catalog?: "integration" | "connection" | undefined
  /**
   * For a catalog of `connection`: tools that were listed longer ago, in milliseconds, are listed again in the background when somebody
   * asks for them. Default: only when the host asks, or the plugin says that they changed.
   */
  readonly catalogMaxAgeMs?: number | undefined
  /** Lists the tools. May use `fetch`; a failure leaves what was there before. */
  readonly resolveTools: (input: ResolveToolsInput) => HandlerResult<ReadonlyArray<ToolDef>>
  /** Describes a tool whose schemas the catalog leaves out. Called when a schema is asked for and before a first call. */
  readonly describeTool?: ((input: DescribeToolInput) => HandlerResult<ToolDescription>) | undefined
  /**
   * Calls a tool. Return a `ToolResult`, or plain data; throw, and the call fails with `tool_failed`.
   *
   * When the last response turned the credential down (401, or 403 with `insufficient_scope`), what is thrown and plain data
   * become that failure, and a failed `ToolResult` goes into its details. A `ToolResult` that says `ok` is believed.
   */
  readonly invokeTool: (input: InvokeToolInput) => HandlerResult<unknown>
  /**
   * Called when this executor removes a connection, takes it out of use or gives it another credential: ends what the plugin holds open
   * for it, whoever's it is. Before a connection goes, while requests can still be sent, when it is waited for up to 3 s; and after it.
   * What other processes do is not told; `isCurrent` of the handle is for that.
   */
  readonly release?: ((input: ReleaseInput) => HandlerResult<void>) | undefined
  /**
   * Called once when an executor closes, while requests can still be sent: ends what the plugin holds open for it, and nothing that it
   * holds for others. Waited for up to 5 s.
   */
  readonly close?: ((input: ClosePluginInput) => HandlerResult<void>) | undefined
}

/** A plugin as `createExecutor` takes it. `Extension` is what it adds to the executor under its id. */
export interface Plugin<Id extends string = string, Extension extends object = object> extends PluginHandlers {
  readonly id: Id
  readonly extension?: ((context: PluginContext) => Extension) | undefined
  readonly effectExtension?: ((context: EffectPluginContext) => Extension) | undefined
}

/**
 * Defines a plugin with Promise-style context.
 *
 * @example
 * ```ts
 * import { definePlugin } from "@keyward/core"
 *
 * const acme = definePlugin({
 *   id: "acme",
 *   extension: (ctx) => ({
 *     add: (slug: string) => ctx.integrations.register({ slug, baseUrl: "https://api.acme.example" }),
 *   }),
 *   resolveTools: () => [{ name: "status", annotations: { readOnlyHint: true } }],
 *   invokeTool: async ({ fetch }) => (await fetch("/status")).json(),
 * })
 * ```
 */
export const definePlugin = <const Id extends string, Extension extends object = object>(
  definition: PluginHandlers & {
    readonly id: Id
    readonly extension?: ((context: PluginContext) => Extension) | undefined
  },
): Plugin<Id, Extension> => definition

/** Defines a plugin whose extension is written with Effect; its methods become Promises on the Promise surface. */
export const defineEffectPlugin = <const Id extends string, Extension extends object = object>(
  definition: PluginHandlers & {
    readonly id: Id
    readonly extension?: ((context: EffectPluginContext) => Extension) | undefined
  },
): Plugin<Id, Extension> => {
  const { extension, ...handlers } = definition
  return { ...handlers, ...(extension === undefined ? {} : { effectExtension: extension }) }
}
