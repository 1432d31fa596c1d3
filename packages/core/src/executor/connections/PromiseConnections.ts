/** `executor.connections` on the Promise surface; the Effect surface does the work. */
import type { Connection } from "../../connection/Connection.ts"
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { CreateConnectionInput } from "../../connection/CreateConnection.ts"
import type { Fetch } from "../../integration/Plugin.ts"
import type { Share, ShareInput, ShareRecipient } from "../../policy/Share.ts"
import type { Tool } from "../../tool/Tool.ts"
import type { ListSharesInput } from "../agents/Shares.ts"
import { runPromise } from "../runPromise.ts"
import type { AccountsRef } from "../select/DefaultAccounts.ts"
import type { AccountRequest } from "../select/selectAccount.ts"
import type { ListConnectionsInput, UpdateConnectionInput } from "./Connections.ts"
import type { EffectConnections } from "./EffectConnections.ts"

/** Saved credentials of one caller. */
export class Connections {
  readonly #effect: EffectConnections

  constructor(effect: EffectConnections) {
    this.#effect = effect
  }

  /**
   * Saves a credential for an integration, or replaces the one of the same owner, integration and name.
   *
   * Whole or not at all. Rejects with `IntegrationNotFoundError`, `InvalidConnectionInputError`,
   * `CredentialProviderNotRegisteredError`, or with what its provider, plugin or store failed with.
   */
  create(input: CreateConnectionInput): Promise<Connection> {
    return runPromise(this.#effect.create(input))
  }

  /**
   * The connections this caller sees, ordered by integration, owner and name; all unless `limit` says otherwise. Rejects with
   * `InvalidConnectionInputError` for what is no page.
   */
  list(input?: ListConnectionsInput): Promise<ReadonlyArray<Connection>> {
    return runPromise(this.#effect.list(input))
  }

  /** One connection, or `null`. The name may be in its original spelling. */
  get(ref: ConnectionRef): Promise<Connection | null> {
    return runPromise(this.#effect.get(ref))
  }

  /** Edits label and description; absent leaves, `null` clears. Rejects with `ConnectionNotFoundError`. */
  update(ref: ConnectionRef, input: UpdateConnectionInput): Promise<Connection> {
    return runPromise(this.#effect.update(ref, input))
  }

  /**
   * Removes a connection and what was stored for it in a writable provider; external items stay.
   *
   * Rejects with `ConnectionNotFoundError`; with the provider's failure if it cannot delete now, and the connection then stays,
   * disabled, until the call is repeated.
   */
  remove(ref: ConnectionRef): Promise<void> {
    return runPromise(this.#effect.remove(ref))
  }

  /** Asks the plugin for the tools again. On failure the catalog stays as it was. */
  refresh(ref: ConnectionRef): Promise<ReadonlyArray<Tool>> {
    return runPromise(this.#effect.refresh(ref))
  }

  /** Takes a connection out of use; its calls answer `connection_disabled`. */
  disable(ref: ConnectionRef): Promise<Connection> {
    return runPromise(this.#effect.disable(ref))
  }

  /** Puts a connection back into use, and confirms it for its integration's current origins. */
  enable(ref: ConnectionRef): Promise<Connection> {
    return runPromise(this.#effect.enable(ref))
  }

  /**
   * A standard `fetch` that is authorized as this connection, for use in any other SDK.
   *
   * Returned at once; each request looks the connection up, resolves its credential lazily and goes only to the integration's
   * origins: another one rejects with `OriginNotAllowedError` before anything leaves. A path without a scheme is appended to the
   * integration's base URL. Responses are the service's own, a 401 included.
   */
  fetch(ref: ConnectionRef): Fetch {
    return this.#effect.fetch(ref)
  }

  /**
   * Lets another user, or an agent whomever it acts for, use a connection of the acting user, in place of what was shared of it with them
   * before. They see it as their own `user` connection of the name `as`, with `sharedBy` and `access`, and nothing of its credential.
   *
   * Only its owner can; a recipient cannot change it nor hand it on wider. Rejects with `ConnectionNotFoundError`, `AccessDeniedError`,
   * `AgentNotFoundError`, `GrantTooWideError`, and with `InvalidGrantError`, also where the recipient has another connection of that name.
   */
  share(ref: ConnectionRef, input: ShareInput): Promise<Share> {
    return runPromise(this.#effect.share(ref, input))
  }

  /**
   * With whom the acting user shares a connection: users first; all unless `limit` says otherwise. Rejects with
   * `ConnectionNotFoundError`, and with `InvalidGrantError` for what is no page.
   */
  shares(ref: ConnectionRef, input?: ListSharesInput): Promise<ReadonlyArray<Share>> {
    return runPromise(this.#effect.shares(ref, input))
  }

  /**
   * Ends a share, from the recipient's next call on. What is not shared is unshared already.
   *
   * A user who wants none of what is shared with them ends it too: under their own name for it, with themselves as the recipient.
   */
  unshare(ref: ConnectionRef, recipient: ShareRecipient): Promise<void> {
    return runPromise(this.#effect.unshare(ref, recipient))
  }

  /**
   * The connection that a call of an integration would run as for this caller; see `Executor.call` for the rules.
   *
   * Rejects with `AmbiguousAccountError` or `AccountNotFoundError`, both with the candidates, with `ConnectionRequiredError` where nobody
   * has connected one, and with `IdentityModeError`, `SubjectRequiredError` or `IntegrationNotFoundError`.
   */
  select(integration: string, request?: AccountRequest): Promise<Connection> {
    return runPromise(this.#effect.select(integration, request))
  }

  /** The connection that is marked as the default of an integration and owner, or `null`. */
  getDefault(accounts: AccountsRef): Promise<Connection | null> {
    return runPromise(this.#effect.getDefault(accounts))
  }

  /**
   * Marks a connection as the one that calls run as which name no account, in place of the one before; of each user for themselves.
   *
   * It ends with {@link clearDefault} and with the connection. Rejects with `ConnectionNotFoundError`.
   */
  setDefault(ref: ConnectionRef): Promise<Connection> {
    return runPromise(this.#effect.setDefault(ref))
  }

  /** Ends the default of an integration and owner; where there is none, it is done already. */
  clearDefault(accounts: AccountsRef): Promise<void> {
    return runPromise(this.#effect.clearDefault(accounts))
  }
}
