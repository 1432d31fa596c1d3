/**
 * One connected client: to one server, for one caller with one credential.
 *
 * Connects once; the pool decides for how long it is kept. What a server sends without being asked is heard here: that its tools have
 * changed, and questions for a person.
 */
import {
  type CallToolResult,
  Client,
  type ElicitRequest,
  type ElicitResult,
  type JSONRPCMessage,
  type Progress,
  type Tool,
  type Transport,
} from "@modelcontextprotocol/client"
import { type CallScope, currentScope, runInScope, runOutside } from "../call/callScope.ts"
import { answerElicitation } from "../call/elicitation.ts"
import { mendListing } from "../listing/mendListing.ts"
import { HttpTransport } from "./HttpTransport.ts"
import { rememberingValidators } from "./validators.ts"

/** How a link is made. */
export interface McpLinkOptions {
  readonly transport: Transport
  readonly clientInfo: { readonly name: string; readonly version: string }
  /** Milliseconds for connecting. */
  readonly connectTimeoutMs: number
  /** How many pages of tools are asked for before giving up. */
  readonly mostToolPages: number
  /** How many tools are taken. */
  readonly mostTools: number
  /** The server says that its tools have changed. */
  readonly onToolsChanged: () => void
  /** The transport has ended without being told to. */
  readonly onClose: () => void
  /** Servers of the first revisions cannot be asked which one they speak without ending over it. */
  readonly isOld?: boolean | undefined
}

/** One call of a tool. */
export interface LinkCall {
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
  /** What the catalog says of the tool, where the client needs it for this call. */
  readonly definition: Tool | undefined
  readonly onProgress: ((progress: Progress) => void) | undefined
}

/** Core limits a call, not the client; this is the longest timer there is. */
const longestMs = 2_147_483_647

const silenceMs = 3000

/** A subscription that was refused or has ended is not asked for again by the next call already. */
const listenPauseMs = 10_000

/** How long a server is given to hear that its session is over. */
const farewellMs = 2000

const validators = rememberingValidators()

/** See the file's header. */
export class McpLink {
  readonly #options: McpLinkOptions
  readonly #client: Client
  readonly #scopes = new Set<CallScope>()
  #isListening = false
  /** Epoch milliseconds. */
  #listenAgainAt = 0
  #isClosed = false
  #isClosing = false
  #onUnused: (() => void) | undefined

  constructor(options: McpLinkOptions) {
    this.#options = options
    this.#client = new Client(options.clientInfo, {
      capabilities: { elicitation: { form: {}, url: {} } },
      versionNegotiation: {
        mode: options.isOld === true ? "legacy" : "auto",
        // A local command that does not answer the first question is an old one.
        ...(options.transport instanceof HttpTransport ? {} : { probe: { timeoutMs: silenceMs } }),
      },
      listMaxPages: options.mostToolPages,
      jsonSchemaValidator: validators,
    })
    // eslint-disable-next-line unicorn/prefer-add-event-listener -- the client has no other way to say so
    this.#client.onclose = () => {
      this.#isClosed = true
      if (!this.#isClosing) options.onClose()
    }
    this.#client.setRequestHandler("elicitation/create", (request) => this.#elicit(request))
    this.#client.setNotificationHandler("notifications/tools/list_changed", () => options.onToolsChanged())
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** How many calls are under way. */
  get load(): number {
    return this.#scopes.size
  }

  /** Says once when the last of the calls under way has ended. */
  whenUnused(tell: () => void): void {
    this.#onUnused = tell
  }

  /** Whether the server keeps a session, which it may end. */
  get hasSession(): boolean {
    return this.#options.transport.sessionId !== undefined
  }

  get revision(): string | null {
    return this.#client.getNegotiatedProtocolVersion() ?? null
  }

  get server(): { readonly name: string; readonly version: string } | null {
    const { name, version } = this.#client.getServerVersion() ?? {}
    return name === undefined || version === undefined ? null : { name, version }
  }

  /** Connects on behalf of a call, by whose `fetch` it is done. Rejects as the client does; the link is then of no use. */
  async connect(scope: CallScope): Promise<void> {
    const { transport, connectTimeoutMs } = this.#options
    if (transport instanceof HttpTransport) transport.connectingFor = scope
    // Who listens to a transport before the client does is handed each message before the client reads it.
    // eslint-disable-next-line unicorn/prefer-add-event-listener -- the transport has no other way to say so
    transport.onmessage = (message: JSONRPCMessage) => mendListing(message, this.#client.getProtocolEra() === "modern")
    try {
      // Streams that are opened here stay when the call is over.
      await runOutside(() =>
        this.#client.connect(transport, {
          signal: scope.signal,
          timeout: connectTimeoutMs,
          maxTotalTimeout: connectTimeoutMs,
        }),
      )
    } catch (error) {
      this.#isClosed = true
      throw error
    } finally {
      if (transport instanceof HttpTransport) transport.connectingFor = undefined
    }
  }

  /** Every tool, page by page; rejects when there are more of either than the limit. */
  async listTools(scope: CallScope): Promise<ReadonlyArray<Tool>> {
    const listed = this.#within(scope, () =>
      this.#client.listTools(undefined, { cacheMode: "bypass", signal: scope.signal, timeout: longestMs }),
    )
    const { tools } = await listed
    const { mostTools } = this.#options
    if (tools.length > mostTools) throw new Error(`The server lists ${tools.length} tools; maxTools is ${mostTools}.`)
    return tools
  }

  callTool(scope: CallScope, { name, args, definition, onProgress }: LinkCall): Promise<CallToolResult> {
    return this.#within(scope, () =>
      this.#client.callTool(
        { name, arguments: args },
        {
          signal: scope.signal,
          timeout: longestMs,
          ...(definition === undefined ? {} : { toolDefinition: definition }),
          ...(onProgress === undefined ? {} : { onprogress: onProgress }),
        },
      ),
    )
  }

  /** Has the server say when its tools change, where it does that on a subscription; older ones do so unasked. */
  listen(): void {
    if (this.#isListening || Date.now() < this.#listenAgainAt || this.#client.getProtocolEra() !== "modern") return
    if (this.#client.getServerCapabilities()?.tools?.listChanged !== true) return
    this.#isListening = true
    const ended = runOutside(async () => (await this.#client.listen({ toolsListChanged: true })).closed)
    // A server that refuses is asked for its tools by their age.
    void ended
      .catch(() => undefined)
      .then(() => {
        this.#isListening = false
        this.#listenAgainAt = Date.now() + listenPauseMs
      })
  }

  /** Ends the session where there is one, and the transport. Never rejects. */
  async close(): Promise<void> {
    this.#isClosing = true
    const { transport } = this.#options
    if (transport instanceof HttpTransport && transport.sessionId !== undefined && !this.#isClosed) {
      const ended = runOutside(() => transport.terminateSession()).catch(() => undefined)
      await Promise.race([ended, patience(farewellMs)])
    }
    this.#isClosed = true
    await this.#client.close().catch(() => undefined)
    // A client that never connected does not know its transport.
    await transport.close().catch(() => undefined)
  }

  async #within<A>(scope: CallScope, run: () => Promise<A>): Promise<A> {
    this.#scopes.add(scope)
    try {
      return await runInScope(scope, run)
    } finally {
      this.#scopes.delete(scope)
      if (this.#scopes.size === 0) this.#tellUnused()
    }
  }

  #tellUnused(): void {
    const tell = this.#onUnused
    this.#onUnused = undefined
    tell?.()
  }

  /** A question that comes on a stream of its own is that of the only call under way; with several, nobody is asked in another's name. */
  async #elicit({ params }: ElicitRequest): Promise<ElicitResult> {
    const [only, ...others] = [...this.#scopes].filter((scope) => scope.elicit !== undefined)
    const scope = currentScope() ?? (others.length === 0 ? only : undefined)
    return answerElicitation(scope, params)
  }
}

const patience = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => void setTimeout(resolve, milliseconds).unref())
