/**
 * Checks by JSON Schemas that a stranger wrote, and an end for those that would not end.
 *
 * A few lines of schema are enough to keep a process busy for years: a pattern that backtracks, references that branch. The thread that
 * would be kept busy is everybody's, so that such checks are stopped by the machine after a while.
 */
import { createContext, Script } from "node:vm"

/** How long a check may take, and making one of a schema, in milliseconds. */
const longestMs = { check: 250, compile: 5_000 }

/** Raised where a schema takes too long; the message is for whoever reads why a tool cannot be used. */
class CheckOverdueError extends Error {
  override readonly name = "CheckOverdueError"
}

/**
 * Makes a check of a schema, which `compile` is handed. Fails as that does, and with `CheckOverdueError` when it takes too long.
 *
 * The check itself gives what `compile` made, and `overdue` for a value that it cannot judge in time.
 */
export const guardedCheck = <A, S extends object>(
  schema: S,
  compile: (schema: S) => (value: unknown) => A,
  overdue: A,
): ((value: unknown) => A) => {
  const check = within(longestMs.compile, () => compile(synchronous(schema)))
  if (!canBranch(schema)) return check
  return (value) => {
    try {
      return within(longestMs.check, () => check(value))
    } catch (error) {
      // A RangeError is a schema that refers to itself without an end.
      if (error instanceof CheckOverdueError || error instanceof RangeError) return overdue
      throw error
    }
  }
}

/** Ajv would answer with a promise otherwise, which looks like a yes, and which nobody waits for when it is a no. */
const synchronous = <S extends object>(schema: S): S => {
  if (!Object.hasOwn(schema, "$async")) return schema
  const copy: S & { $async?: unknown } = { ...schema }
  delete copy.$async
  return copy
}

/** Whether a check may take longer than going through schema and value once; stopping one costs a fifth of a millisecond. */
const canBranch = (schema: object): boolean => branching.test(JSON.stringify(schema))

const branching = /"(?:pattern|patternProperties|uniqueItems|\$ref|\$dynamicRef|\$recursiveRef)":/

/** Runs something to its end, or fails with `CheckOverdueError`. */
const within = <A>(milliseconds: number, run: () => A): A => {
  const { context, script } = (guard ??= makeGuard())
  const runOutside = context.run
  try {
    context.run = run
    return script.runInContext(context, { timeout: milliseconds }) as A
  } catch (error) {
    if ((error as { readonly code?: unknown } | null)?.code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error
    throw new CheckOverdueError(`it takes longer than ${milliseconds} ms.`)
  } finally {
    context.run = runOutside
  }
}

interface Guard {
  readonly context: { run: (() => unknown) | undefined }
  readonly script: Script
}

const makeGuard = (): Guard => {
  const context: Guard["context"] = { run: undefined }
  createContext(context)
  return { context, script: new Script("run()") }
}

let guard: Guard | undefined
