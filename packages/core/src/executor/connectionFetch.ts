/**
 * A `fetch` that is bound to a connection and to no call: `connections.fetch`, and what plugins keep open.
 *
 * The connection is looked up with each request, so that one `fetch` serves for as long as somebody holds it.
 */
import * as Effect from "effect/Effect"
import { ConnectionCredentialError } from "../connection/ConnectionError.ts"
import { connectionAddress, connectionKey, type ConnectionRef } from "../connection/ConnectionRef.ts"
import type { Identity } from "../identity/Identity.ts"
import type { Fetch } from "../integration/Plugin.ts"
import { announce } from "./announce.ts"
import { type AuthorizedResponse, sendAuthorized, toFetch } from "./AuthorizedFetch.ts"
import { rejection } from "./CallRecord.ts"
import { selectByKey, type SelectedConnection } from "./ConnectionSelector.ts"
import { storedCredential } from "./CredentialSource.ts"
import { type GrantedConnection, isGranted } from "./oauth/GrantedConnection.ts"
import { errorWithWayOn } from "./oauth/renewalUrl.ts"
import type { Resources } from "./Resources.ts"

/** A standard `fetch` for one connection, returned at once; the connection is looked up with each request. */
export const connectionFetch = (resources: Resources, identity: Identity, ref: ConnectionRef): Fetch => {
  const key = connectionKey(identity, ref)
  return toFetch((request) =>
    Effect.flatMap(
      Effect.flatMap(key, (known) => selectByKey(resources, identity, known)),
      (selected) => {
        const sent = sendAuthorized(
          resources,
          selected.compiled.binding,
          storedCredential(resources, selected),
          request,
        )
        const told = resources.hasListener ? watched(resources, selected, sent) : sent
        return isGranted(selected) ? withWayOn(resources, selected, told) : told
      },
    ),
  )
}

/** Says where to go when a person has to connect the account again. */
const withWayOn = <E>(
  resources: Resources,
  selected: GrantedConnection,
  sent: Effect.Effect<AuthorizedResponse, E>,
): Effect.Effect<AuthorizedResponse, E | ConnectionCredentialError> =>
  Effect.catch(sent, (error): Effect.Effect<never, E | ConnectionCredentialError> =>
    error instanceof ConnectionCredentialError
      ? Effect.flip(errorWithWayOn(resources, selected, error))
      : Effect.fail(error),
  )

/** Tells the host when a credential could not be resolved or was turned down. */
const watched = <E>(
  resources: Resources,
  { identity, row }: SelectedConnection,
  sent: Effect.Effect<AuthorizedResponse, E>,
): Effect.Effect<AuthorizedResponse, E> => {
  const failed = (error: unknown): Effect.Effect<void> =>
    Effect.sync(() => {
      if (!(error instanceof ConnectionCredentialError)) return
      const { code, reason } = error
      announce(resources, identity, row, { type: "credential.failed", code, reason })
    })
  return Effect.tapError(
    Effect.tap(sent, ({ response, authorizer }) => failed(rejection(connectionAddress(row), response, authorizer))),
    failed,
  )
}
