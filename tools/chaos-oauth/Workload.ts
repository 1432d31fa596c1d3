/**
 * What happens to accounts meanwhile: calls alone and in crowds, callers who give up at random moments, and people who edit, disable
 * and enable connections.
 */
import { setTimeout as delay } from "node:timers/promises"
import { ConnectionConflictError, ConnectionCredentialError } from "@keyward/core"
import { StoreUnavailableError } from "@keyward/core/effect"
import type { Account } from "./Accounts.ts"
import type { Random } from "./Random.ts"
import { count } from "./shaky.ts"

/** What callers were told. */
export interface Tally {
  calls: number
  answered: number
  /** Callers who gave up, and were told so. */
  abandoned: number
  edits: number
  /** Failures that say that trying again may help, by code and reason. */
  readonly retryable: Map<string, number>
  /** Connections that were disabled by an edit at the time. */
  disabled: number
  /** Whatever must not happen. */
  readonly broken: Map<string, number>
}

/** A tally of nothing. */
export const emptyTally = (): Tally => ({
  calls: 0,
  answered: 0,
  abandoned: 0,
  edits: 0,
  retryable: new Map(),
  disabled: 0,
  broken: new Map(),
})

/** Begins; the function that it answers with ends it. */
export const startWorkload = (
  accounts: ReadonlyArray<Account>,
  random: Random,
  tally: Tally,
  { callers, editors }: { readonly callers: number; readonly editors: number },
): (() => Promise<void>) => {
  const over = new AbortController()
  const repeat = async (step: () => Promise<void>, pauseMs: number): Promise<void> => {
    while (!over.signal.aborted) {
      await step()
      await delay(random.between(0, pauseMs))
    }
  }
  const call = async (): Promise<void> => {
    const account = random.pick(accounts)
    const crowd = random.chance(0.08) ? random.between(5, 40) : 1
    await Promise.all(
      Array.from({ length: crowd }, async () => {
        const controller = new AbortController()
        const timer = random.chance(0.3) ? setTimeout(() => controller.abort(gaveUp), random.between(0, 40)) : undefined
        await attempt(account, random.chance(0.5), controller.signal, tally)
        clearTimeout(timer)
      }),
    )
  }
  const edit = async (): Promise<void> => {
    const { executor, ref } = random.pick(accounts)
    tally.edits += 1
    const { connections } = executor
    try {
      if (random.chance(0.8)) await connections.update(ref, { description: `edit ${tally.edits}` })
      else {
        await connections.disable(ref)
        await delay(random.between(0, 30))
        for (let isEnabled = false; !isEnabled;) {
          isEnabled = await connections.enable(ref).then(
            () => true,
            (error: unknown) => !isPassing(error),
          )
        }
      }
    } catch (error) {
      if (!isPassing(error)) count(tally.broken, `an edit: ${String(error)}`)
    }
  }
  const work = [
    ...Array.from({ length: callers }, () => repeat(call, 30)),
    ...Array.from({ length: editors }, () => repeat(edit, 15)),
  ]
  return async () => {
    over.abort()
    await Promise.all(work)
  }
}

const gaveUp = new Error("The caller gave up.")

/** Uses an account once; answers whether that worked. */
export const attempt = async (
  { executor, ref, address }: Account,
  byFetch: boolean,
  signal: AbortSignal | undefined,
  tally: Tally,
): Promise<boolean> => {
  tally.calls += 1
  try {
    if (byFetch) {
      const response = await executor.connections.fetch(ref)("/resource", signal === undefined ? {} : { signal })
      await response.arrayBuffer()
      if (response.ok) tally.answered += 1
      else count(tally.broken, `the service said ${response.status}`)
      return response.ok
    }
    const result = await executor.execute(address, {}, signal === undefined ? {} : { signal })
    if (result.ok) {
      tally.answered += 1
      return true
    }
    const { code, retryable, details, message } = result.error
    const reason = (details as { readonly reason?: unknown } | undefined)?.reason
    if (signal?.aborted === true && code !== "oauth_reauth_required") tally.abandoned += 1
    else judge(tally, code, String(reason), retryable, message)
  } catch (error) {
    if (error === gaveUp) tally.abandoned += 1
    else if (error instanceof ConnectionCredentialError) {
      judge(tally, error.code, error.reason, error.retryable, error.message)
    } else if (error instanceof StoreUnavailableError) count(tally.retryable, "the store is unavailable")
    else count(tally.broken, String(error))
  }
  return false
}

const judge = (tally: Tally, code: string, reason: string, retryable: boolean, message: string): void => {
  if (code === "connection_disabled") tally.disabled += 1
  else if (retryable) count(tally.retryable, `${code} (${reason})`)
  else count(tally.broken, message)
}

const isPassing = (error: unknown): boolean =>
  error instanceof StoreUnavailableError || error instanceof ConnectionConflictError
