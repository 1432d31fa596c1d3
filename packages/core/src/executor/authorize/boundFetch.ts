/**
 * A `fetch` that is bound to a connection and to no call: what `connections.fetch` and the handles of plugins are made of.
 *
 * The connection is looked up with each request, so that one `fetch` serves for as long as somebody holds it.
 */
import * as Effect from "effect/Effect"
import { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import { connectionAddress, connectionKey, type ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { UnboundRequest } from "../../http/standardFetch.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { Fetch } from "../../integration/Plugin.ts"
import { rejection } from "../call/CallRecord.ts"
import type { CallTrace } from "../call/CallTrace.ts"
import { inSpan, type SpanPlace } from "../inSpan.ts"
import type { Resources } from "../Resources.ts"
import { selectConnection, type SelectedConnection } from "../select/ConnectionSelector.ts"
import { type AuthorizedResponse, sendAuthorized, toFetch } from "./AuthorizedFetch.ts"
import { storedCredential } from "./CredentialSource.ts"
import { type RequestTrace, tellFailure, toldRequest } from "./toldRequest.ts"

/** What is done around each request of a bound `fetch`. */
export interface BoundFetchOptions {
  /** Whether the caller may use the connection at all, looked up first. */
  readonly admitted: Effect.Effect<void, Error>
  /** Whether a request may be sent; a person may be asked, which takes as long as it does. */
  readonly check: (
    selected: SelectedConnection,
    request: UnboundRequest,
    trace: CallTrace | undefined,
  ) => Effect.Effect<void, Error>
  /** Whether the host is told of each request; a plugin's are part of a call. */
  readonly isTold: boolean
  /** The failure of a credential as it is told, such as with a page to visit. */
  readonly explain: (
    selected: SelectedConnection,
    error: ConnectionCredentialError,
  ) => Effect.Effect<ConnectionCredentialError>
}

/** For a plugin, whose caller has called a tool: that it still sees the connection is enough, and the call's result says the way on. */
export const pluginFetch = (resources: Resources, identity: Identity, ref: ConnectionRef): Fetch =>
  boundFetch(resources, identity, ref, {
    admitted: Effect.void,
    check: () => Effect.void,
    isTold: false,
    explain: (_, error) => Effect.succeed(error),
  })

/** Makes the `fetch`. */
export const boundFetch = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
  { admitted, check, isTold, explain }: BoundFetchOptions,
): Fetch => {
  // An agent may be shown user connections though no user acts.
  const isNameable = identity.agent === undefined ? Effect.asVoid(connectionKey(identity, ref)) : admitted
  const place = (): SpanPlace => ({
    attributes: { connection: connectionAddress(ref), integration: ref.integration },
  })
  const send = (request: UnboundRequest, trace?: RequestTrace): Effect.Effect<AuthorizedResponse, Error> =>
    Effect.flatMap(
      Effect.tap(
        inSpan(resources, "keyward.select", place, () =>
          Effect.andThen(
            isNameable,
            Effect.suspend(() => selectConnection(resources, identity, ref)),
          ),
        ),
        (selected) => {
          trace?.found(selected)
          return check(selected, request, trace?.call)
        },
      ),
      (selected) => {
        const { binding } = selected.compiled
        const sent = sendAuthorized(resources, binding, storedCredential(resources, selected), request)
        const told = resources.hasListener ? watched(resources, selected, sent, trace) : sent
        return Effect.catch(told, (error): Effect.Effect<never, Error> =>
          error instanceof ConnectionCredentialError ? Effect.flip(explain(selected, error)) : Effect.fail(error),
        )
      },
    )
  return toFetch((request) =>
    inSpan(resources, "keyward.fetch", place, () =>
      isTold && resources.hasListener
        ? toldRequest(resources, identity, ref, request, (trace) => send(request, trace))
        : send(request),
    ),
  )
}

/** Tells the host when a credential could not be resolved or was turned down; of a request that is told, after it. */
const watched = <E>(
  resources: Resources,
  selected: SelectedConnection,
  sent: Effect.Effect<AuthorizedResponse, E>,
  trace: RequestTrace | undefined,
): Effect.Effect<AuthorizedResponse, E> => {
  const note = (error: unknown): Effect.Effect<void> =>
    Effect.sync(() => {
      if (!(error instanceof ConnectionCredentialError)) return
      if (trace === undefined) tellFailure(resources, selected, error)
      else trace.failure = error
    })
  return sent.pipe(
    Effect.tap(({ response, authorizer }) => note(rejection(connectionAddress(selected.row), response, authorizer))),
    Effect.tapError(note),
  )
}
