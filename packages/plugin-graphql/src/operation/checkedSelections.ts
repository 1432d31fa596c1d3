/**
 * How much a document selects, counted as whoever runs it has to read it: fragments put in where they are spread, and what is selected
 * under one name laid together.
 *
 * Rules of validation compare all fields of one name with each other, and a few fragments that spread each other stand for millions of
 * fields. Counting ends with the limit, so that it costs no more than that.
 */
import { type DocumentNode, type FragmentDefinitionNode, Kind, type SelectionSetNode } from "graphql"
import { InvalidDocumentError } from "./InvalidDocumentError.ts"

/** How deep selections are, fragments put in. */
const deepest = 25
/** How many selections there are, fragments put in. */
const mostSelections = 20_000
/** How many pairs of fields with one name in one place. */
const mostPairs = 25_000

/** Counts a document; fails with `InvalidDocumentError` where it selects too much, or nothing between two braces. */
export const checkSelections = (document: DocumentNode): void => {
  const count = new Count(document)
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION && definition.kind !== Kind.FRAGMENT_DEFINITION) continue
    const { selectionSet } = definition
    checkWritten(selectionSet, 1)
    // A fragment that is spread nowhere is compared too.
    count.lay([selectionSet], 1)
  }
}

/** Each selection as it is written, whether or not it is ever reached. */
const checkWritten = ({ selections }: SelectionSetNode, depth: number): void => {
  if (depth > deepest) throw tooDeep()
  if (selections.length === 0) throw new InvalidDocumentError("holds an empty selection, { }")
  for (const selection of selections) {
    if (selection.kind !== Kind.FRAGMENT_SPREAD && selection.selectionSet !== undefined) {
      checkWritten(selection.selectionSet, depth + 1)
    }
  }
}

class Count {
  readonly #fragments = new Map<string, FragmentDefinitionNode>()
  #selections = 0
  #pairs = 0

  constructor({ definitions }: DocumentNode) {
    for (const definition of definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) this.#fragments.set(definition.name.value, definition)
    }
  }

  /** Counts what some selections come to together. */
  lay(sets: ReadonlyArray<SelectionSetNode>, depth: number): void {
    if (depth > deepest) throw tooDeep()
    const fields = new Map<string, Place>()
    const spread = new Set<string>()
    for (const set of sets) this.#put(set, fields, spread)
    for (const { inner } of fields.values()) if (inner.length > 0) this.lay(inner, depth + 1)
  }

  #put({ selections }: SelectionSetNode, fields: Map<string, Place>, spread: Set<string>): void {
    for (const selection of selections) {
      this.#selections += 1
      if (this.#selections > mostSelections) {
        throw new InvalidDocumentError(`selects more than ${mostSelections} things, its fragments put in`)
      }
      if (selection.kind === Kind.FIELD) {
        const name = (selection.alias ?? selection.name).value
        const place = fields.get(name) ?? { count: 0, inner: [] }
        fields.set(name, place)
        this.#pairs += place.count
        if (this.#pairs > mostPairs) {
          throw new InvalidDocumentError("selects the same too often; select it once, or under other names")
        }
        place.count += 1
        if (selection.selectionSet !== undefined) place.inner.push(selection.selectionSet)
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        this.#put(selection.selectionSet, fields, spread)
      } else if (!spread.has(selection.name.value)) {
        spread.add(selection.name.value)
        const fragment = this.#fragments.get(selection.name.value)
        if (fragment !== undefined) this.#put(fragment.selectionSet, fields, spread)
      }
    }
  }
}

/** What is selected under one name in one place. */
interface Place {
  count: number
  readonly inner: Array<SelectionSetNode>
}

const tooDeep = (): InvalidDocumentError => new InvalidDocumentError(`selects more than ${deepest} levels deep`)
