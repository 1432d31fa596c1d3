/**
 * Where in a schema there are schemas, and what they are called: what its references may lead to.
 *
 * Names are looked up here and written as JSON Pointers from the root, as validators differ in how they read them.
 */

/** See the file's header. Paths are JSON Pointers without their `#`. */
export class SchemaPlaces {
  /** Whether there is a name or a reference at all. */
  areUsed = false
  readonly #schemas = new Set<string>()
  readonly #ids = new Map<string, string>()
  /** By the path of the schema with an `$id` that they are within, and their name. */
  readonly #anchors = new Map<string, string>()

  add(path: string): void {
    this.#schemas.add(path)
  }

  /** The first of two with one name counts. */
  nameById(id: string, path: string): void {
    this.areUsed = true
    const [name = ""] = id.split("#", 1)
    if (!this.#ids.has(name)) this.#ids.set(name, path)
  }

  nameByAnchor(anchor: string, base: string, path: string): void {
    this.areUsed = true
    const name = `${base}#${anchor}`
    if (!this.#anchors.has(name)) this.#anchors.set(name, path)
  }

  /** A reference as a pointer from the root; `undefined` where it leads to no schema of this one. */
  pointerTo(reference: string, base: string): string | undefined {
    const path = this.#pathOf(reference, base)
    if (path === undefined || !this.#schemas.has(path) || !path.isWellFormed()) return undefined
    return `#${encodeURI(path).replaceAll("#", "%23")}`
  }

  #pathOf(reference: string, base: string): string | undefined {
    const [id = "", fragment = ""] = reference.split("#", 2)
    const from = id === "" ? base : this.#ids.get(id)
    const pointer = decoded(fragment)
    if (from === undefined || pointer === undefined) return undefined
    return pointer === "" || pointer.startsWith("/") ? from + pointer : this.#anchors.get(`${from}#${pointer}`)
  }
}

const decoded = (pointer: string): string | undefined => {
  try {
    return decodeURIComponent(pointer)
  } catch {
    return undefined
  }
}
