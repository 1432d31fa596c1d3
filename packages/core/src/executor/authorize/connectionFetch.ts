/**
 * `connections.fetch`: a standard `fetch` for one connection, which says where to go when a person has to connect the account again.
 */
import * as Effect from "effect/Effect"
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { Fetch } from "../../integration/Plugin.ts"
import { checkFetch } from "../agents/access.ts"
import { isGranted } from "../oauth/GrantedConnection.ts"
import { errorWithWayOn } from "../oauth/renewalUrl.ts"
import { permitRequest } from "../policies/permitRequest.ts"
import type { Resources } from "../Resources.ts"
import { checkMode } from "../select/selectAccount.ts"
import { boundFetch } from "./boundFetch.ts"

/** Returned at once; what the caller may do with it is looked up with each request. */
export const connectionFetch = (
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
  admitted: Effect.Effect<void, Error> = Effect.void,
): Fetch =>
  boundFetch(resources, identity, ref, {
    admitted,
    isTold: true,
    check: (selected, request, trace) =>
      Effect.andThen(
        Effect.andThen(checkFetch(selected, request), checkMode(selected.integration, selected.row.owner)),
        () => permitRequest(resources, selected, request, admitted, trace),
      ),
    explain: (selected, error) =>
      isGranted(selected) ? errorWithWayOn(resources, selected, error) : Effect.succeed(error),
  })
