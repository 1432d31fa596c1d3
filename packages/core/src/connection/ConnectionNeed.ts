/** A connection that somebody has to make before a call can go on. */
import type { Owner } from "../identity/Identity.ts"

/** What a host is told when it is asked where to send somebody. */
export interface ConnectionNeed {
  readonly tenant: string
  /** Who acts; `null` when nobody in particular does. */
  readonly subject: string | null
  readonly integration: string
  /** Whose connection is needed. */
  readonly owner: Owner
  /** The name that it would have. */
  readonly name: string
}
