/**
 * A `fetch` that is bound to a connection and to no call: `connections.fetch`, and what plugins keep open.
 *
 * The connection is looked up with each request, so that one `fetch` serves for as long as somebody holds it.
 */
import * as Effect from "effect/Effect"
import { ConnectionCredentialError } from "../connection/ConnectionError.ts"
import { connectionAddress, connectionKey, type ConnectionRef } from "../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { Identity } from "../identity/Identity.ts"
import type { Fetch } from "../integration/Plugin.ts"
import type { AccessDeniedError } from "../policy/AccessError.ts"
import type { ToolBlockedError } from "../tool/ToolError.ts"
import { checkFetch } from "./access.ts"
import { announce } from "./announce.ts"
import { type AuthorizedResponse, sendAuthorized, toFetch } from "./AuthorizedFetch.ts"
import { rejection } from "./CallRecord.ts"
import { selectConnection, type SelectedConnection } from "./ConnectionSelector.ts"
import { storedCredential } from "./CredentialSource.ts"
import { type GrantedConnection, isGranted } from "./oauth/GrantedConnection.ts"
import { errorWithWayOn } from "./oauth/renewalUrl.ts"
import { checkRawAccess } from "./policyCheck.ts"
import type { Resources } from "./Resources.ts"

/** A standard `fetch` for one connection, returned at once; what the caller may do with it is looked up with each request. */
export const connectionFetch = <E extends Error = never>(
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
  admitted: Effect.Effect<void, E> = Effect.void,
): Fetch =>
  fetchWith(resources, identity, ref, admitted, (selected, method) =>
    Effect.andThen(checkFetch(selected, method), checkRawAccess(resources, identity, selected.row)),
  )

/** The same for a plugin, whose caller has called a tool: that it still sees the connection is enough. */
export const pluginFetch = (resources: Resources, identity: Identity, ref: ConnectionRef): Fetch =>
  fetchWith(resources, identity, ref, Effect.void, () => Effect.void)

const fetchWith = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
  admitted: Effect.Effect<void, Error>,
  check: (
    selected: SelectedConnection,
    method: string,
  ) => Effect.Effect<void, AccessDeniedError | ToolBlockedError | StoreUnavailableError>,
): Fetch => {
  // An agent may be shown user connections though no user acts.
  const isNameable = identity.agent === undefined ? Effect.asVoid(connectionKey(identity, ref)) : admitted
  return toFetch((request) =>
    Effect.flatMap(
      Effect.tap(
        Effect.andThen(
          isNameable,
          Effect.suspend(() => selectConnection(resources, identity, ref)),
        ),
        (selected) => check(selected, request.method),
      ),
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
