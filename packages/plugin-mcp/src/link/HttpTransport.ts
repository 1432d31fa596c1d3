/**
 * The official client's HTTP transport with Keyward's `fetch` in it, and with an end for requests whose answer never comes.
 */
import type { Fetch } from "@keyward/core"
import { type FetchLike, type JSONRPCMessage, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { type CallScope, currentScope } from "../call/callScope.ts"
import { reconnectionPace } from "./reconnectionPace.ts"

/** The code of the error that stands for an answer which was cut off; JSON-RPC leaves it to implementations. */
export const answerCut = -32_098

type SendOptions = Parameters<StreamableHTTPClientTransport["send"]>[1]

/** What may send for a transport. */
export interface HttpTransportOptions {
  /** For what belongs to no call: streams that stay open, notifications, the end of a session. */
  readonly fetch: Fetch
}

/** See the file's header. */
export class HttpTransport extends StreamableHTTPClientTransport {
  /** Whose call the connecting is done for; its requests are sent by that call. */
  connectingFor: CallScope | undefined

  constructor(url: URL, { fetch }: HttpTransportOptions) {
    super(url, {
      fetch: (input, init) => this.#send(fetch, input, init),
      reconnectionScheduler: reconnectionPace(),
    })
  }

  override send(message: JSONRPCMessage | JSONRPCMessage[], options?: SendOptions): Promise<void> {
    if (Array.isArray(message) || !("method" in message) || !("id" in message)) return super.send(message, options)
    const { id } = message
    const onRequestStreamEnd = (): void => {
      options?.onRequestStreamEnd?.()
      // To a request that was answered this is news about nothing, and the client passes over it.
      this.onmessage?.({ jsonrpc: "2.0", id, error: { code: answerCut, message: "The answer was cut off." } })
    }
    return super.send(message, { ...options, onRequestStreamEnd })
  }

  async #send(lasting: Fetch, url: string | URL, init: RequestInit | undefined): ReturnType<FetchLike> {
    const isOfCall = init?.method === "POST" && !isLasting(init.headers)
    const scope = isOfCall ? (currentScope() ?? this.connectingFor) : undefined
    if (scope === undefined) return lasting(url, init)
    try {
      return await scope.fetch(url, init)
    } catch (error) {
      scope.failure = error
      throw error
    }
  }
}

/** A subscription outlasts whatever call it was opened in. */
const isLasting = (headers: RequestInit["headers"]): boolean =>
  headers instanceof Headers && headers.get("mcp-method") === "subscriptions/listen"
