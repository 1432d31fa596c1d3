/**
 * Which call a request of the MCP client belongs to, and a question of the server.
 *
 * One client serves many calls of the same caller at once. Its requests go out through the `fetch` of the call that they are made for,
 * so that each call has its own limit, abort and account of what happened to its credential; the context that Node keeps across
 * asynchronous steps tells which one that is.
 */
import { AsyncLocalStorage } from "node:async_hooks"
import type { InvokeToolInput, ResolveToolsInput } from "@keyward/core"

/** The part of a plugin's input that a client needs. */
export interface CallScope {
  readonly fetch: InvokeToolInput["fetch"]
  readonly signal: AbortSignal
  /** Absent where there is no call: nobody is asked anything while tools are listed. */
  readonly elicit: InvokeToolInput["elicit"] | undefined
  /** Why the last request of this call could not be sent or answered. */
  failure: unknown
  isOver: boolean
}

/** The scope of a call or of a listing. */
export const scopeOf = (input: InvokeToolInput | ResolveToolsInput): CallScope => ({
  fetch: input.fetch,
  signal: input.signal,
  elicit: "elicit" in input ? input.elicit : undefined,
  failure: undefined,
  isOver: false,
})

/** Runs something as part of a call. */
export const runInScope = <A>(scope: CallScope, run: () => A): A => storage.run(scope, run)

/** Runs something that belongs to no call, although one caused it. */
export const runOutside = <A>(run: () => A): A => storage.exit(run)

/** The call that is under way here, unless it has ended in the meantime. */
export const currentScope = (): CallScope | undefined => {
  const scope = storage.getStore()
  return scope === undefined || scope.isOver || scope.signal.aborted ? undefined : scope
}

const storage = new AsyncLocalStorage<CallScope>()
