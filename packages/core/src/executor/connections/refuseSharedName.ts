/**
 * A user's own connection must not take a name under which they see a shared one: their calls would change accounts unasked.
 */
import * as Effect from "effect/Effect"
import type { InvalidConnectionInputError } from "../../connection/ConnectionError.ts"
import type { ConnectionKey } from "../../connection/ConnectionRef.ts"
import { quote } from "../../error/KeywardError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import { visibleConnection } from "../agents/access.ts"
import type { Resources } from "../Resources.ts"
import { invalid } from "./connectionInput.ts"

/** Fails where a new connection would take the name of a shared one. */
export const refuseSharedName = (
  resources: Resources,
  key: ConnectionKey,
): Effect.Effect<void, InvalidConnectionInputError | StoreUnavailableError> => {
  if (key.owner === "org") return Effect.void
  const { tenant, subject } = key
  return Effect.flatMap(visibleConnection(resources, { tenant, subject }, key), (found) =>
    found?.lender === undefined
      ? Effect.void
      : invalid(
          "name",
          `${quote(found.lender.identity.subject)} shares a connection with this user under the name ${quote(key.name)}. Choose another name, or end that with connections.unshare.`,
        ),
  )
}
