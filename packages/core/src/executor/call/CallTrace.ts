/**
 * What one call went through, step by step: who was chosen and by which rule, what policy decided, where the request went.
 *
 * Made by the tool invoker only when somebody listens (events, audit); each step fills in its own fields and reads no other's.
 * Names and outcomes only: no argument, no header, no secret.
 */
import type { Span } from "effect/Tracer"
import type { Owner } from "../../identity/Identity.ts"
import type { IdentityMode } from "../../identity/IdentityMode.ts"

/**
 * Why a call ran as the connection it ran as: a full `address` named it, `account` named it by name, address or label, it is the one
 * marked `default`, or the `only` one.
 */
export type ChosenBy = "address" | "account" | "default" | "only"

/** What a rule decides about a call. */
type CallDecision = "approve" | "require_approval" | "block"

/** What an event tells of a call. A field that is absent does not apply, or its step was not reached. */
export interface CalledTrace {
  /** The integration's mode at the time of the call. */
  identityMode?: IdentityMode | undefined
  chosenBy?: ChosenBy | undefined
  /** Whose connection the call itself asked for, where it did. */
  override?: Owner | undefined
  decision?: CallDecision | undefined
  /** The id of the rule that decided, or the word for a default. */
  rule?: string | undefined
  /** How the call was approved, where somebody had to be asked. */
  approval?: string | undefined
  /** The origin that the last request of the call was sent to. */
  destination?: string | undefined
}

/** See the file's header. */
export interface CallTrace extends CalledTrace {
  /** The arguments as JSON without secrets, where the host wants them in its audit trail; in no event. */
  shown?: string | undefined
  /** The call's span, where there are any; in no event. */
  span?: Span | undefined
}
