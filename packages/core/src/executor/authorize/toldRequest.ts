/**
 * A request through `connections.fetch` as the host is told of it: whose connection, why it was allowed, whereto and what came of it; also
 * of one that was refused.
 */
import * as Effect from "effect/Effect"
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { UnboundRequest } from "../../http/standardFetch.ts"
import type { Identity } from "../../identity/Identity.ts"
import { identityModeOf } from "../../integration/Integration.ts"
import { announce, lentBy } from "../announce.ts"
import { recordedCall } from "../audit/recordedCall.ts"
import { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import type { CallTrace } from "../call/CallTrace.ts"
import type { Resources } from "../Resources.ts"
import type { SelectedConnection } from "../select/ConnectionSelector.ts"
import type { AuthorizedResponse } from "./AuthorizedFetch.ts"

/** What a request went through. */
export class RequestTrace {
  readonly call: CallTrace = {}
  selected: SelectedConnection | undefined
  /** Why its credential could not be had, or that the service turned it down. */
  failure: ConnectionCredentialError | undefined

  /** Takes note of the connection. */
  found(selected: SelectedConnection): void {
    this.selected = selected
    this.call.identityMode = identityModeOf(selected.integration)
    this.call.chosenBy = "address"
  }
}

/** Sends a request and tells the host of it. */
export const toldRequest = <E>(
  resources: Resources,
  identity: Identity,
  ref: ConnectionRef,
  { method }: UnboundRequest,
  send: (trace: RequestTrace) => Effect.Effect<AuthorizedResponse, E>,
): Effect.Effect<AuthorizedResponse, E | StoreUnavailableError> =>
  Effect.suspend(() => {
    const startedAt = performance.now()
    const trace = new RequestTrace()
    return recordedCall(resources, send(trace), (ended) => {
      const { selected, call } = trace
      announce(resources, identity, selected?.row ?? ref, {
        type: "connection.fetched",
        method,
        ...call,
        ...(selected === undefined ? {} : lentBy(selected)),
        ...("value" in ended
          ? { outcome: String(ended.value.response.status), destination: new URL(ended.value.response.url).origin }
          : { outcome: ended.error instanceof ConnectionCredentialError ? ended.error.code : ended.failure }),
        durationMs: performance.now() - startedAt,
      })
      if (selected !== undefined && trace.failure !== undefined) tellFailure(resources, selected, trace.failure)
    })
  })

/** Tells the host that a credential could not be resolved or was turned down. */
export const tellFailure = (
  resources: Resources,
  selected: SelectedConnection,
  { code, reason }: ConnectionCredentialError,
): void => {
  const { identity, row } = selected
  announce(resources, identity, row, { type: "credential.failed", ...lentBy(selected), code, reason })
}
