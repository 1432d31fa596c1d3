/**
 * Calls that end before they come to a connection, of which the host is told all the same: what somebody tried and was not given.
 *
 * Calls for which an integration's accounts were looked through are told as `account.not_selected`, and those of a connection as
 * `tool.called`.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Identity } from "../../identity/Identity.ts"
import { nameOfError } from "../audit/recordedCall.ts"
import type { Resources } from "../Resources.ts"

/** What a call named, as far as that is clear. */
export interface NamedCall {
  readonly integration?: string
  /** The connection's address, whether there is one or not. */
  readonly connection?: string
  readonly tool?: string
  /** What was given instead of an address. */
  readonly address?: string
}

interface Caller {
  readonly resources: Resources
  readonly identity: Identity
}

/** Tells the host of a refused call; `outcome` is a result's code or an error's name. */
export const tellRefused = ({ resources, identity }: Caller, call: NamedCall, outcome: string): void => {
  if (resources.hasListener) resources.emit(identity, { type: "call.refused", ...call, outcome })
}

/** Tells the host of a call that is refused by an error of this step; costs nothing where there is none. */
export const tellingRefusal = <A, E>(
  caller: Caller,
  call: () => NamedCall,
  step: Effect.Effect<A, E>,
): Effect.Effect<A, E> =>
  !caller.resources.hasListener || (Exit.isExit(step) && Exit.isSuccess(step))
    ? step
    : Effect.tapError(step, (error) => Effect.sync(() => tellRefused(caller, call(), nameOfError(error))))
