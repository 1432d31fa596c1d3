/**
 * Who an executor is to act for: what a host says, or what came out of a token that it sealed.
 */
import * as Effect from "effect/Effect"
import { type Identity, type IdentityInput, InvalidIdentityError, makeIdentity } from "../../identity/Identity.ts"
import { InvalidSealedIdentityError, InvalidSealOptionsError, OpenedIdentity } from "../../identity/SealedIdentity.ts"
import { openSealed } from "../../identity/sealIdentity.ts"
import type { Resources } from "../Resources.ts"

/** The identity that a host passed. An agent's is none of these: what it may do is less than an executor does. */
export const callerIdentity = (
  { sealedIdentity }: Resources,
  { tenant }: Identity,
  input: IdentityInput | OpenedIdentity,
): Effect.Effect<Identity, InvalidIdentityError | InvalidSealedIdentityError> => {
  if (OpenedIdentity.isOpened(input)) {
    return input.agent === undefined
      ? Effect.succeed(plain(input))
      : Effect.fail(new InvalidSealedIdentityError({ reason: "agent" }))
  }
  if (sealedIdentity?.isRequired === true) {
    return Effect.fail(new InvalidSealedIdentityError({ reason: "not_sealed" }))
  }
  // An agent's identity, or a copy of a token's, must not become its user's.
  const { agent } = input as { readonly agent?: unknown }
  return agent === undefined
    ? makeIdentity(input, tenant)
    : Effect.fail(new InvalidIdentityError({ part: "agent", given: typeof agent === "string" ? agent : typeof agent }))
}

/** The identity in a token of the host's edge, opened as the config says. */
export const sealedCaller = (
  { sealedIdentity }: Resources,
  token: string,
): Effect.Effect<Identity, InvalidSealedIdentityError | InvalidSealOptionsError> =>
  sealedIdentity === undefined
    ? Effect.fail(
        new InvalidSealOptionsError({
          field: "keys",
          fault: "pass sealedIdentity: { keys, audience } to createExecutor.",
        }),
      )
    : Effect.map(openSealed(token, sealedIdentity), plain)

const plain = ({ tenant, subject, agent }: OpenedIdentity): Identity => ({
  tenant,
  subject,
  ...(agent === undefined ? {} : { agent }),
})
