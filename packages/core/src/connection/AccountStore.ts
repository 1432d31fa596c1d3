/**
 * Where it is kept which of several connections is meant when nobody says so. Implemented by stores; called by the executor.
 *
 * A default is of one incarnation of a connection: when that is removed, another of the same name is no default.
 */
import type * as Effect from "effect/Effect"
import type { StoreUnavailableError } from "../error/StoreError.ts"
import type { ConnectionKey } from "./ConnectionRef.ts"
import type { Reading } from "./ConnectionStore.ts"

/** Whose connections of which integration; `subject` is empty for `org`. */
export type AccountsKey = Omit<ConnectionKey, "name">

/** The connection that is meant: by name and incarnation. */
export interface DefaultAccount {
  readonly name: string
  readonly incarnation: string
}

/** One default per tenant, subject, integration and owner. */
export interface AccountStore {
  /** The default; `undefined` when there is none. */
  get(key: AccountsKey, reading?: Reading): Effect.Effect<DefaultAccount | undefined, StoreUnavailableError>
  /** Makes a connection the default, in place of the one before. */
  put(key: AccountsKey, account: DefaultAccount): Effect.Effect<void, StoreUnavailableError>
  /** Ends a default; with a name, only while it is of that name. Answers whether there was one to end. */
  remove(key: AccountsKey, name?: string): Effect.Effect<boolean, StoreUnavailableError>
}
