/**
 * Where it is kept which of several connections is meant when nobody says so. Implemented by stores; called by the executor.
 *
 * A default is a name and nothing more: it makes no connection, and one that is gone is no default.
 */
import type * as Effect from "effect/Effect"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { ConnectionKey } from "./ConnectionRef.ts"

/** Whose connections of which integration; `subject` is empty for `org`. */
export type AccountsKey = Omit<ConnectionKey, "name">

/** One default per tenant, subject, integration and owner. */
export interface AccountStore {
  /** The name of the default; `undefined` when there is none. */
  get(key: AccountsKey): Effect.Effect<string | undefined, StoreUnavailableError>
  /** Makes a connection the default, in place of the one before. */
  put(key: ConnectionKey): Effect.Effect<void, StoreUnavailableError>
  /** Ends a default; with a name, only while it is that one. Answers whether there was one to end. */
  remove(key: AccountsKey, name?: string): Effect.Effect<boolean, StoreUnavailableError>
}
