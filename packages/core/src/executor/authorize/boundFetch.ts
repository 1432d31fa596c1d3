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
import { announce } from "../announce.ts"
import { rejection } from "../call/CallRecord.ts"
import { inSpan, type SpanPlace } from "../inSpan.ts"
import type { Resources } from "../Resources.ts"
import { selectConnection, type SelectedConnection } from "../select/ConnectionSelector.ts"
import { type AuthorizedResponse, sendAuthorized, toFetch } from "./AuthorizedFetch.ts"
import { storedCredential } from "./CredentialSource.ts"

/** What is done around each request of a bound `fetch`. */
export interface BoundFetchOptions {
  /** Whether the caller may use the connection at all, looked up first. */
  readonly admitted: Effect.Effect<void, Error>
  /** Whether a request may be sent; a person may be asked, which takes as long as it does. */
  readonly check: (selected: SelectedConnection, request: UnboundRequest) => Effect.Effect<void, Error>
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
  return toFetch((request) =>
    inSpan(resources, "keyward.fetch", place, () =>
      Effect.flatMap(
        Effect.tap(
          inSpan(resources, "keyward.select", place, () =>
            Effect.andThen(
              isNameable,
              Effect.suspend(() => selectConnection(resources, identity, ref)),
            ),
          ),
          (selected) => check(selected, request),
        ),
        (selected) => {
          const { binding } = selected.compiled
          const sent = sendAuthorized(resources, binding, storedCredential(resources, selected), request)
          const told = resources.hasListener ? watched(resources, selected, isTold ? request : undefined, sent) : sent
          return Effect.catch(told, (error): Effect.Effect<never, Error> =>
            error instanceof ConnectionCredentialError ? Effect.flip(explain(selected, error)) : Effect.fail(error),
          )
        },
      ),
    ),
  )
}

/** Tells the host when a credential could not be resolved or was turned down, and of the request, if it is given, what became of it. */
const watched = <E>(
  resources: Resources,
  { identity, row }: SelectedConnection,
  request: UnboundRequest | undefined,
  sent: Effect.Effect<AuthorizedResponse, E>,
): Effect.Effect<AuthorizedResponse, E> =>
  Effect.suspend(() => {
    const startedAt = performance.now()
    const tell = (error: unknown, outcome: string, destination?: string): void => {
      if (request !== undefined) {
        const durationMs = performance.now() - startedAt
        const { method } = request
        announce(resources, identity, row, { type: "connection.fetched", method, outcome, destination, durationMs })
      }
      if (!(error instanceof ConnectionCredentialError)) return
      const { code, reason } = error
      announce(resources, identity, row, { type: "credential.failed", code, reason })
    }
    return sent.pipe(
      Effect.tap(({ response, authorizer }) =>
        Effect.sync(() =>
          tell(
            rejection(connectionAddress(row), response, authorizer),
            String(response.status),
            new URL(response.url).origin,
          ),
        ),
      ),
      Effect.tapError((error) =>
        Effect.sync(() => tell(error, error instanceof ConnectionCredentialError ? error.code : nameOf(error))),
      ),
      Effect.onInterrupt(() => Effect.sync(() => tell(undefined, "aborted"))),
    )
  })

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : "failed")
