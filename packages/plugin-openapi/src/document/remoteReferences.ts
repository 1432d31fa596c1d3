/**
 * Brings every document that a document refers to inside it, so that what is stored is whole and no later step fetches.
 *
 * A fetched document is kept under `x-keyward-documents`, and each `$ref` to it is rewritten to a local one. Only http(s)
 * is followed. What cannot be had is a warning, and the reference stays unresolved.
 */
import { isJsonObject, type MutableJsonObject } from "../Json.ts"
import { defaultTimeoutMs, type DocumentSource, fetchDocument, withoutQuery } from "./fetchDocument.ts"
import { OpenApiDocumentError, quoted } from "./OpenApiDocumentError.ts"
import { parseDocumentText } from "./parseDocument.ts"

/** The root key that holds fetched documents. */
export const bundledDocumentsKey = "x-keyward-documents"

/** The most documents that one document may bring in. */
const mostRemoteDocuments = 100

const atOnce = 6

/**
 * Fetches what `root` refers to, and what that refers to, and rewrites the references in place.
 *
 * @param json the JSON text of `root` where there is one; saves the walk over a document without remote references.
 * @returns one warning for each reference that could not be followed.
 */
export const bundleRemoteReferences = async (
  root: MutableJsonObject,
  json: string | undefined,
  url: string | null,
  source: DocumentSource,
): Promise<ReadonlyArray<string>> => {
  if (json !== undefined && !refersOutside.test(json)) return []
  const bundle = new Bundle(root, url, source)
  await bundle.run()
  return bundle.warnings
}

const refersOutside = /"\$ref"\s*:\s*"(?!#)/

interface PendingDocument {
  readonly key: string
  readonly url: string
}

class Bundle {
  readonly warnings: string[] = []
  readonly #root: MutableJsonObject
  readonly #url: string | null
  readonly #source: DocumentSource
  readonly #signal: AbortSignal
  readonly #keys = new Map<string, string>()
  readonly #documents: MutableJsonObject = {}
  #pending: PendingDocument[] = []
  #warned = new Set<string>()

  constructor(root: MutableJsonObject, url: string | null, source: DocumentSource) {
    this.#root = root
    this.#url = url
    this.#source = source
    this.#signal = AbortSignal.timeout(source.timeoutMs ?? defaultTimeoutMs)
  }

  async run(): Promise<void> {
    this.#rewrite(this.#root, this.#url, "#")
    while (this.#pending.length > 0) {
      const wave = this.#pending.splice(0, atOnce)
      const fetched = await Promise.all(wave.map((document) => this.#fetch(document)))
      for (const [index, value] of fetched.entries()) {
        const document = wave[index]
        if (value === undefined || document === undefined) continue
        this.#documents[document.key] = value.content
        this.#rewrite(value.content, value.url, `#/${bundledDocumentsKey}/${document.key}`)
      }
    }
    if (Object.keys(this.#documents).length > 0) this.#root[bundledDocumentsKey] = this.#documents
  }

  async #fetch(document: PendingDocument): Promise<{ content: MutableJsonObject; url: string } | undefined> {
    try {
      const fetched = await fetchDocument(document.url, this.#source, this.#signal)
      const parsed = await parseDocumentText(fetched.text, withoutQuery(document.url))
      return { content: parsed.value, url: fetched.url }
    } catch (thrown) {
      if (!(thrown instanceof OpenApiDocumentError)) throw thrown
      this.#warn(`A reference leads to ${withoutQuery(document.url)}, and ${thrown.reason}`)
      return undefined
    }
  }

  /** Points each reference of a document at where its target is, or will be, inside the root. */
  #rewrite(document: MutableJsonObject, url: string | null, prefix: string): void {
    for (const node of nodesWithReference(document)) {
      const reference = node["$ref"] as string
      if (reference.startsWith("#")) {
        if (prefix !== "#" && (reference === "#" || reference.startsWith("#/"))) {
          node["$ref"] = prefix + reference.slice(1)
        }
        continue
      }
      const target = this.#target(reference, url)
      if (target !== undefined) node["$ref"] = target
    }
  }

  #target(reference: string, url: string | null): string | undefined {
    if (!URL.canParse(reference, url ?? undefined)) {
      this.#warn(`The reference ${quoted(reference)} is relative, and the document's own address is not known.`)
      return undefined
    }
    const target = new URL(reference, url ?? undefined)
    if (target.protocol !== "https:" && target.protocol !== "http:") {
      this.#warn(`The reference ${quoted(reference)} is not followed: only http and https are.`)
      return undefined
    }
    const fragment = target.hash.slice(1)
    target.hash = ""
    if (target.href === this.#url) return `#${fragment}`
    const key = this.#keyOf(target.href)
    if (key === undefined) return undefined
    return fragment === "" || fragment.startsWith("/") ? `#/${bundledDocumentsKey}/${key}${fragment}` : `#${fragment}`
  }

  #keyOf(url: string): string | undefined {
    const known = this.#keys.get(url)
    if (known !== undefined) return known
    if (this.#keys.size >= mostRemoteDocuments) {
      this.#warn(`The document refers to more than ${mostRemoteDocuments} others; the rest is not followed.`)
      return undefined
    }
    const key = `document${this.#keys.size + 1}`
    this.#keys.set(url, key)
    this.#pending.push({ key, url })
    return key
  }

  #warn(warning: string): void {
    if (this.#warned.has(warning)) return
    this.#warned.add(warning)
    this.warnings.push(warning)
  }
}

/** Keys whose children are named by the author, so that a child called `example` is no example. */
const namesOfAuthor = new Set(["properties", "patternProperties", "$defs", "definitions", "schemas", "parameters"])
const neverReferences = new Set(["example", "examples", "default", "enum", "const"])

/** The objects of a document that have a `$ref`, in document order; without recursion, so that no depth overflows. */
const nodesWithReference = (document: MutableJsonObject): ReadonlyArray<MutableJsonObject> => {
  const found: MutableJsonObject[] = []
  const pending: { node: unknown; isNameMap: boolean }[] = [{ node: document, isNameMap: false }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, isNameMap } = next
    if (Array.isArray(node)) {
      for (let index = node.length - 1; index >= 0; index -= 1) pending.push({ node: node[index], isNameMap: false })
      continue
    }
    if (!isJsonObject(node)) continue
    if (typeof node["$ref"] === "string" && !isNameMap) found.push(node)
    const keys = Object.keys(node)
    for (let index = keys.length - 1; index >= 0; index -= 1) {
      const key = keys[index] ?? ""
      if (!isNameMap && (neverReferences.has(key) || key.startsWith("x-"))) continue
      pending.push({ node: node[key], isNameMap: !isNameMap && namesOfAuthor.has(key) })
    }
  }
  return found
}
