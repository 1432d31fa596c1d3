/** What Keyward promises of each kind of trouble, as the issue and the guide on many processes have it. */
import type { AuthorizationServerOptions } from "./AuthorizationServerMessages.ts"
import type { TroubleKind } from "./troubles.ts"

/** The sentence that a storm proves or refutes. */
export const promiseOf = (trouble: TroubleKind, rotation: AuthorizationServerOptions["rotation"]): string =>
  rotation === "grace" ? spared[trouble] : promises[trouble]

const spared: Readonly<Record<TroubleKind, string>> = {
  none: "token requests = expiries, no grant revoked, no call failed",
  kill: "a random process is killed every 300 ms: no grant is lost",
  stop: "processes stand still for longer than their lease: no grant is lost",
  restart: "Postgres restarts under load: no grant is lost, no status is wrong, and every process recovers by itself",
}

const promises: Readonly<Record<TroubleKind, string>> = {
  ...spared,
  kill: "a random process is killed every 300 ms: every lost grant was killed between send and receive and says `rotation_lost`; nothing else is lost",
  stop: "processes stand still for longer than their lease: every lost grant stood still between intent and write and says `rotation_lost`; nothing else is lost",
}
