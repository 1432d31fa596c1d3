/** `executor.oauth` on the Promise surface; the Effect surface does the work. */
import * as Effect from "effect/Effect"
import type { Connection } from "../../connection/Connection.ts"
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { Owner } from "../../identity/Identity.ts"
import type { CallbackInput } from "../../oauth/AuthorizationResponse.ts"
import type { ProbeOAuthInput, ProbeResult } from "../../oauth/Discovery.ts"
import type { OAuthClient } from "../../oauth/OAuthClient.ts"
import { runPromise } from "../runPromise.ts"
import type { CreateOAuthClientInput } from "./clientInput.ts"
import type { ConnectOAuthInput } from "./connectAccount.ts"
import type { EffectOAuth } from "./EffectOAuth.ts"
import type { OAuthGrant } from "./grantSummary.ts"
import type { KeepAliveOptions } from "./keepAlive.ts"
import type { ListOAuthClientsInput } from "./OAuthClients.ts"
import type { PollOAuthResult } from "./pollFlow.ts"
import type { RegisterDynamicClientInput } from "./registerDynamicClient.ts"
import type { StartOAuthInput, StartOAuthResult } from "./StartingFlow.ts"

/** Accounts connected by OAuth 2.1: the applications, and the flows. Members of this namespace load the protocol lazily. */
export class OAuth {
  readonly #effect: EffectOAuth

  constructor(effect: EffectOAuth) {
    this.#effect = effect
  }

  /**
   * Saves an application that was registered at an authorization server by hand, or updates the one of the same owner and slug.
   *
   * Rejects with `InvalidOAuthClientError`, which names the field, and with what the provider or the store failed with.
   */
  createClient(input: CreateOAuthClientInput): Promise<OAuthClient> {
    return runPromise(this.#effect.createClient(input))
  }

  /**
   * Registers an application by itself ([RFC 7591](https://www.rfc-editor.org/rfc/rfc7591)), or by the host's Client ID Metadata Document
   * where the server takes one. A registration that still fits is used again.
   *
   * Rejects with `InvalidOAuthClientError`, `OAuthDiscoveryError` or `OAuthRegistrationError`.
   */
  registerDynamicClient(input: RegisterDynamicClientInput): Promise<OAuthClient> {
    return runPromise(this.#effect.registerDynamicClient(input))
  }

  /**
   * The organisation's clients and the acting user's, ordered by owner and slug; all unless `limit` says otherwise. Never a secret.
   * Rejects with `InvalidOAuthClientError` for what is no page.
   */
  listClients(input?: ListOAuthClientsInput): Promise<ReadonlyArray<OAuthClient>> {
    return runPromise(this.#effect.listClients(input))
  }

  /**
   * Removes a client and its secrets; one that is not there is removed already.
   *
   * Its connections stay and say at their next refresh which client is missing. A dynamic registration is deleted at the server too.
   */
  removeClient(owner: Owner, slug: string): Promise<void> {
    return runPromise(this.#effect.removeClient(owner, slug))
  }

  /** Finds the authorization server behind a URL and what it offers. Rejects with `OAuthDiscoveryError`. */
  probe(input: ProbeOAuthInput): Promise<ProbeResult> {
    return runPromise(this.#effect.probe(input))
  }

  /**
   * Begins to connect an account, or to reconnect one of the same owner, integration and name.
   *
   * `redirect`: send the person to `authorizationUrl` and give the callback to {@link complete}, within ten minutes. `device`: show the
   * code and call {@link poll}. `connected`: nobody has to be asked. An existing connection stays as it is until the new one is made.
   * Rejects with `OAuthStartError`, `OAuthDiscoveryError`, and as `connections.create` does.
   */
  start(input: StartOAuthInput): Promise<StartOAuthResult> {
    return runPromise(this.#effect.start(input))
  }

  /**
   * As {@link start}, with the client found or made: the host's Client ID Metadata Document where the server takes one, else a client that
   * was entered for this server, else one that is registered now and used again the next time.
   *
   * Rejects as {@link start} and {@link registerDynamicClient} do; with `OAuthStartError` (`client_needed`) where somebody has to enter one.
   */
  connect(input: ConnectOAuthInput): Promise<StartOAuthResult> {
    return runPromise(this.#effect.connect(input))
  }

  /**
   * Finishes a flow from the whole callback URL, or from its parameters. Only for the identity that started it, and only once.
   *
   * Rejects with `OAuthSessionNotFoundError` for a flow that is not under way, with `OAuthCompleteError` for one that ends without a
   * connection (`reason` is `access_denied` when the person said no), and as `connections.create` does.
   */
  complete(input: CallbackInput): Promise<Connection> {
    return runPromise(this.#effect.complete(input))
  }

  /** Asks how a device flow stands. Asked before `nextPollAt` it answers without asking the server. Rejects as {@link complete} does. */
  poll(state: string): Promise<PollOAuthResult> {
    return runPromise(this.#effect.poll(state))
  }

  /** Forgets a flow. One that is not under way is forgotten already. */
  cancel(state: string): Promise<void> {
    return runPromise(this.#effect.cancel(state))
  }

  /** What a connection was granted, with the scopes that are missing; `null` for one that is not there or has a static credential. */
  grant(ref: ConnectionRef): Promise<OAuthGrant | null> {
    return runPromise(this.#effect.grant(ref))
  }

  /**
   * Refreshes tokens of the whole tenant in the background before they run out, until it is stopped or the executor is closed.
   *
   * Each at its own moment of its last quarter, at most ten minutes ahead. Calls refresh by themselves what the background did not.
   */
  keepAlive(options?: KeepAliveOptions): KeepingAlive {
    const running = Effect.runSync(this.#effect.keepAlive(options))
    const stop = (): Promise<void> => runPromise(running.stop())
    return { stop, [Symbol.asyncDispose]: stop }
  }
}

/** Work in the background, as {@link OAuth.keepAlive} begins it. */
export interface KeepingAlive extends AsyncDisposable {
  /** Ends it; a refresh under way goes on to its end. */
  stop(): Promise<void>
}
