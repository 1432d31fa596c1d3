/**
 * What operations are called as tools: after their `operationId`, else after method and path.
 *
 * A name depends only on the operation and on whether others want the same one, never on the order of the document.
 */
import { createHash } from "node:crypto"
import { capitalise, identifierOf } from "./identifierOf.ts"

/** What a name is made of. */
export interface NamedOperation {
  readonly operationId: string | undefined
  /** In upper case. */
  readonly method: string
  readonly path: string
}

/** One name for each operation, in the same order, all different. */
export const toolNames = (operations: ReadonlyArray<NamedOperation>): ReadonlyArray<string> => {
  const preferred = operations.map((operation) => nameOfId(operation.operationId) ?? nameOfPath(operation))
  const wanted = tally(preferred)
  const distinct = preferred.map((name, index) => {
    const operation = operations[index]
    return operation === undefined || wanted.get(name) === 1 ? name : `${name}_${nameOfPath(operation)}`
  })
  const stillWanted = tally(distinct)
  return distinct.map((name, index) => {
    const operation = operations[index]
    if (operation === undefined || (stillWanted.get(name) === 1 && name.length <= longestName)) return name
    return `${name.slice(0, longestName).replace(/[\ud800-\udbff]$/, "")}_${fingerprint(operation)}`
  })
}

const longestName = 200

const tally = (names: ReadonlyArray<string>): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

/** `repos/get` becomes `repos.get`, `list-pets` becomes `listPets`, and what is a dotted identifier stays as it is. */
const nameOfId = (operationId: string | undefined): string | undefined => {
  if (operationId === undefined || !operationId.isWellFormed()) return undefined
  const parts = operationId.split(/[./]/).map(identifierOf)
  const named = parts.filter((part) => part !== undefined)
  return named.length === 0 ? undefined : named.join(".")
}

/** `GET /users/{id}/posts` becomes `getUsersByIdPosts`. */
const nameOfPath = ({ method, path }: NamedOperation): string => {
  const words = path
    .replaceAll(/\{([^{}]*)\}/g, (_, name: string) => ` by ${name} `)
    .toWellFormed()
    .normalize("NFC")
    .split(/[^\p{L}\p{N}_]+/u)
    .filter((word) => word !== "")
  return identifierOf(method.toLowerCase() + words.map(capitalise).join("")) ?? method.toLowerCase()
}

const fingerprint = ({ method, path }: NamedOperation): string =>
  createHash("sha256").update(`${method} ${path}`).digest("hex").slice(0, 8)
