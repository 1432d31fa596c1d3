/**
 * Follows `$ref` inside one document. Remote documents were already bundled into it, so every reference is local.
 *
 * A reference that leads nowhere, or round in a circle of nothing but references, resolves to `undefined`: what it stood
 * for is then left open, and the rest of the operation still works.
 */
import { isJsonObject, type JsonObject } from "../Json.ts"

/** What a reference leads to in the end. */
interface ResolvedReference {
  /** The last reference of the chain in its plain spelling: equal targets have equal pointers. */
  readonly pointer: string
  readonly value: unknown
}

/** The references of one document. */
export interface References {
  /** Follows a reference, and the references it leads to, until there is something else. */
  resolve(reference: string): ResolvedReference | undefined
  /** The object itself, or what its `$ref` leads to; `undefined` when that is no object. */
  follow(value: unknown): JsonObject | undefined
}

/** References of a document whose root is given. */
export const makeReferences = (root: JsonObject): References => {
  const resolved = new Map<string, ResolvedReference | undefined>()
  let anchors: ReadonlyMap<string, unknown> | undefined

  const lookup = (reference: string): unknown => {
    if (reference === "#" || reference === "#/") return root
    if (reference.startsWith("#/")) return atPointer(root, reference.slice(2))
    anchors ??= collectAnchors(root)
    return anchors.get(reference)
  }

  const resolve = (reference: string): ResolvedReference | undefined => {
    if (resolved.has(reference)) return resolved.get(reference)
    const seen = new Set<string>()
    let pointer = plainSpelling(reference)
    let value = lookup(pointer)
    while (isJsonObject(value) && typeof value["$ref"] === "string" && isOnlyReference(value)) {
      if (seen.has(pointer)) {
        value = undefined
        break
      }
      seen.add(pointer)
      pointer = plainSpelling(value["$ref"])
      value = lookup(pointer)
    }
    const result = value === undefined ? undefined : { pointer, value }
    resolved.set(reference, result)
    return result
  }

  return {
    resolve,
    follow: (value) => {
      let current = value
      for (let hops = 0; hops < mostHops && isJsonObject(current) && typeof current["$ref"] === "string"; hops += 1) {
        current = resolve(current["$ref"])?.value
      }
      return isJsonObject(current) && typeof current["$ref"] !== "string" ? current : undefined
    },
  }
}

const mostHops = 50

const isOnlyReference = (value: JsonObject): boolean => Object.keys(value).length === 1

const plainSpelling = (reference: string): string => {
  if (!reference.includes("%")) return reference
  try {
    return decodeURIComponent(reference)
  } catch {
    return reference
  }
}

const atPointer = (root: JsonObject, pointer: string): unknown => {
  let value: unknown = root
  for (const part of pointer.split("/")) {
    if (typeof value !== "object" || value === null) return undefined
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~")
    if (!Object.hasOwn(value, key)) return undefined
    value = (value as JsonObject)[key]
  }
  return value
}

/** Every `$anchor`, `$dynamicAnchor` and `$id` of the document; walked only when a reference of that form appears. */
const collectAnchors = (root: JsonObject): ReadonlyMap<string, unknown> => {
  const anchors = new Map<string, unknown>()
  const pending: unknown[] = [root]
  while (pending.length > 0) {
    const node = pending.pop()
    if (Array.isArray(node)) pending.push(...(node as unknown[]))
    if (!isJsonObject(node)) continue
    for (const key of ["$anchor", "$dynamicAnchor"]) {
      if (typeof node[key] === "string") anchors.set(`#${node[key]}`, node)
    }
    if (typeof node["$id"] === "string") anchors.set(node["$id"], node)
    pending.push(...Object.values(node))
  }
  return anchors
}
