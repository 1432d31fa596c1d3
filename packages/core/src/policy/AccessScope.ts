/**
 * What a grant or a share covers: reading or writing, which tools, until when; and when one covers another.
 *
 * Pure values and decisions; `Grant.ts` and `Share.ts` keep them with whom they are for.
 */
import { compileGlob, type Glob } from "./Glob.ts"

/** `read`: tools that say they only read, and requests that do. `write`: everything else. Neither includes the other. */
export type Access = "read" | "write"

/** See the file's header. */
export interface AccessScope {
  /** Never empty, sorted. */
  readonly access: ReadonlyArray<Access>
  /** Patterns that the name of a tool has to match one of; `null`: every tool, and requests of one's own. */
  readonly tools: ReadonlyArray<string> | null
  /** Epoch milliseconds; `null`: until somebody ends it. */
  readonly expiresAt: number | null
}

/** What somebody wants to do: call a tool, or with `tool: null` send a request of their own. */
export interface AccessNeed {
  readonly access: Access
  readonly tool: string | null
}

/** What a tool needs: what does not say that it only reads counts as a write. */
export const accessOfTool = (annotations: { readonly readOnlyHint?: boolean | undefined } | undefined): Access =>
  annotations?.readOnlyHint === true ? "read" : "write"

/**
 * What a request needs by its method ([RFC 9110, section 9.2.1](https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1)), and by what its
 * headers tell a service to take for it.
 */
export const accessOfRequest = ({
  method,
  headers,
}: {
  readonly method: string
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}): Access => (isSafe(method) && methodHeaders.every((name) => isSafe(headers[name] ?? "GET")) ? "read" : "write")

const isSafe = (method: string): boolean => safeMethods.has(method.toUpperCase())

const methodHeaders = ["x-http-method-override", "x-http-method", "x-method-override"]

const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"])

/** Whether a scope is over. */
export const isOver = ({ expiresAt }: AccessScope, now: number): boolean => expiresAt !== null && now >= expiresAt

/** Whether a scope is about a tool, or about requests of one's own, be it for reading or for writing. */
export const concerns = ({ tools }: AccessScope, tool: string | null): boolean =>
  tools === null || (tool !== null && globsOf(tools).some(({ matches }) => matches(tool)))

/** Whether a scope permits what is needed. Does not look at the time. */
export const permits = (scope: AccessScope, need: AccessNeed): boolean =>
  scope.access.includes(need.access) && concerns(scope, need.tool)

/** Whether everything that a part of a scope permits is permitted by another scope, for as long. */
export const isWithin = (
  {
    tool,
    access,
    expiresAt,
  }: { readonly tool: string | null; readonly access: Access; readonly expiresAt: number | null },
  scope: AccessScope,
): boolean =>
  scope.access.includes(access) &&
  (scope.expiresAt === null || (expiresAt !== null && expiresAt <= scope.expiresAt)) &&
  (scope.tools === null || (tool !== null && globsOf(scope.tools).some(({ matches }) => matches(tool))))

/** Scopes are the same objects as long as nothing has changed, so each list is read once. */
const globsOf = (patterns: ReadonlyArray<string>): ReadonlyArray<Glob> => {
  const known = globs.get(patterns)
  if (known !== undefined) return known
  const read = patterns.map(compileGlob)
  globs.set(patterns, read)
  return read
}

const globs = new WeakMap<ReadonlyArray<string>, ReadonlyArray<Glob>>()
