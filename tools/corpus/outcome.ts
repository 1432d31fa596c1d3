/**
 * What came of one document: the message between the child process that reads it and the job.
 */

/** How reading a document ended. */
export type Ending =
  /** It became an integration with tools. */
  | "tools"
  /** It is valid but describes no operation, such as a document of webhooks only. */
  | "no operations"
  /** It was refused with a typed error, although it has operations. */
  | "refused"
  /** Something was thrown that is no typed error, or the process ended. */
  | "crashed"
  /** It showed no progress for as long as the limit. */
  | "timed out"

/** One line of the report's data. */
export interface DocumentOutcome {
  readonly file: string
  readonly ending: Ending
  /** Why, where it is not `tools`. */
  readonly reason: string | null
  /** The document does not say where the API is, and a base URL was passed. */
  readonly neededBaseUrl: boolean
  readonly tools: number
  /** Input schemas that differ from each other, all of which were given to the validator. */
  readonly distinctSchemas: number
  /** `tool: message` for each input schema that did not compile. */
  readonly schemaFailures: ReadonlyArray<string>
  /** Calls with made-up arguments that became a request. */
  readonly sent: number
  /** Calls whose made-up arguments were refused. */
  readonly refusedArguments: number
  /** `tool: message` for each call that failed in any other way. */
  readonly callFailures: ReadonlyArray<string>
  readonly largestSchema: number
  readonly addSpecMs: number
  readonly totalMs: number
}

/** What the child process says: that it is still at it, at least once for each tool, or what came of the document. */
export type ReaderMessage = "progress" | DocumentOutcome

/** An outcome without tools. */
export const emptyOutcome = (file: string, ending: Ending, reason: string, totalMs: number): DocumentOutcome => ({
  file,
  ending,
  reason,
  neededBaseUrl: false,
  tools: 0,
  distinctSchemas: 0,
  schemaFailures: [],
  sent: 0,
  refusedArguments: 0,
  callFailures: [],
  largestSchema: 0,
  addSpecMs: 0,
  totalMs,
})
