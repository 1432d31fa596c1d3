/**
 * What a caller is told of an integration's tools while it is open as which connection a call would run: what policy leaves of them for at
 * least one of the connections in question.
 */
import * as Effect from "effect/Effect"
import { AccountNotFoundError, AmbiguousAccountError, ConnectionRequiredError } from "../../connection/AccountError.ts"
import type { ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { ToolDef } from "../../tool/Tool.ts"
import { parseConnectionAddress } from "../../tool/ToolAddress.ts"
import { shownTools } from "../policies/policyCheck.ts"
import type { Resources } from "../Resources.ts"

/** See the file's header; `problem` is why none was selected. */
export const unselectedTools = (
  resources: Resources,
  identity: Identity,
  integration: string,
  problem: unknown,
): Effect.Effect<(tool: ToolDef) => boolean, StoreUnavailableError> =>
  Effect.map(shownTools(resources, identity), (isShown) => {
    const refs = connectionsInQuestion(problem)
    const asked = refs.length === 0 ? [{ owner: "user", integration, name: "main" } as const] : refs
    return (tool) => asked.some((ref) => isShown(ref, tool))
  })

const connectionsInQuestion = (problem: unknown): ReadonlyArray<ConnectionRef> =>
  addressesIn(problem).flatMap((address) => parseConnectionAddress(address) ?? [])

const addressesIn = (problem: unknown): ReadonlyArray<string> => {
  if (problem instanceof ConnectionRequiredError) return [problem.connection]
  return problem instanceof AmbiguousAccountError || problem instanceof AccountNotFoundError
    ? problem.candidates.map(({ address }) => address)
    : []
}
