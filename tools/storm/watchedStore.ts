/** A store that tells what is written to the rows of OAuth connections, so that each loss can be told step by step. */
import { connectionAddress, type Store } from "@keyward/core"
import type { ConnectionRow } from "@keyward/core/effect"
import * as Effect from "effect/Effect"
import type { RowWritten } from "./WorkerMessages.ts"

/** The same store, watched. */
export const watchedStore = (store: Store, told: (written: RowWritten) => void): Store => {
  const { connections } = store
  const put: typeof connections.put = (row, expected) =>
    Effect.tap(connections.put(row, expected), (isWritten) => Effect.sync(() => told(tellOf(row, isWritten))))
  return {
    ...store,
    connections: new Proxy(connections, {
      get: (target, property) => (property === "put" ? put : (Reflect.get(target, property) as unknown)),
    }),
  }
}

const tellOf = (row: ConnectionRow, isWritten: boolean): RowWritten => {
  const intent = row.grant?.intent
  const words =
    intent == null ? ["none"] : [intent.state, intent.id.slice(0, 4), intent.isReplay === true ? "again" : ""]
  if (intent?.missedAt !== undefined) words.push("missed")
  return {
    connection: connectionAddress(row),
    at: Date.now(),
    isWritten,
    status: row.status,
    issuedAt: row.grant?.issuedAt ?? 0,
    intent: words.join(" ").trim(),
  }
}
