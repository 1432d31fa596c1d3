/**
 * What `tools.search` looks in: one index per catalog, made when the catalog is first searched and kept as long as it.
 *
 * BM25 by MiniSearch over name, title, keywords and description. Imported lazily: a host that never searches loads none of it.
 */
import MiniSearch from "minisearch"
import { familyOf, type QueryWord, queryWords, termsOf } from "./searchTerms.ts"
import type { ToolDef } from "./Tool.ts"
import type { ToolCatalog } from "./ToolCatalog.ts"

/** A tool that a query found. */
export interface RankedTool {
  readonly tool: ToolDef
  /** Above 0, and more is better. Says something beside other scores of the same query only. */
  readonly score: number
}

/** Reads a query once, for all catalogs that it is put to. Of a long one, the first 24 words that say something count. */
export const readQuery = (query: string): ReadonlyArray<QueryWord> => queryWords(query, mostWords)

/** The tools of one catalog, ready to be searched. */
export class ToolIndex {
  readonly #tools: ReadonlyArray<ToolDef>
  readonly #index: MiniSearch<IndexedTool>
  /** How many terms each tool's name has. */
  readonly #nameLengths: ReadonlyArray<number>
  readonly #vocabulary: ReadonlySet<string>
  /** Terms by what they have in common. */
  readonly #families: ReadonlyMap<string, ReadonlyArray<string>>

  private constructor(tools: ReadonlyArray<ToolDef>, index: MiniSearch<IndexedTool>, vocabulary: ReadonlySet<string>) {
    this.#tools = tools
    this.#index = index
    this.#vocabulary = vocabulary
    this.#nameLengths = tools.map(({ name }) => new Set(termsOf(name)).size)
    this.#families = families(vocabulary)
  }

  /** Indexes tools in portions, so that other work goes on meanwhile. */
  static async make(tools: ReadonlyArray<ToolDef>): Promise<ToolIndex> {
    const vocabulary = new Set<string>()
    const index = new MiniSearch<IndexedTool>({
      fields: Object.keys(fieldBoosts),
      tokenize: (text) => {
        const terms = [...termsOf(text)]
        for (const term of terms) vocabulary.add(term)
        return terms
      },
      processTerm: asItIs,
    })
    await index.addAllAsync(tools.map(toIndexed), { chunkSize: 200 })
    return new ToolIndex(tools, index, vocabulary)
  }

  /**
   * The tools that any of the words is found in, best first.
   *
   * A word of `place`, the name of where the tools are, is answered by each of them; a query that names nothing else, by all.
   */
  search(words: ReadonlyArray<QueryWord>, place: string): ReadonlyArray<RankedTool> {
    const placeTerms = new Set(termsOf(place))
    const answeredByAll = words.filter(({ terms }) => terms.every((term) => placeTerms.has(term)))
    if (answeredByAll.length === words.length && words.length > 0)
      return this.#tools.map((tool) => ({ tool, score: 1 }))
    const asked = this.#askedTerms(words)
    const isUnknown = (term: string): boolean => asked.get(term)?.isOwn === true && !this.#vocabulary.has(term)
    return this.#index
      .search([...asked.keys()].join(" "), {
        tokenize: (text) => text.split(" "),
        processTerm: asItIs,
        boost: fieldBoosts,
        boostTerm: (term) => asked.get(term)?.weight ?? 0,
        // Words that no tool has may be cut short or misspelled.
        prefix: (term) => term.length >= 3 && isUnknown(term),
        fuzzy: (term) => (term.length >= 4 && isUnknown(term) ? 0.25 : false),
      })
      .map(({ id, score, queryTerms, match }) => {
        const index = id as number
        const answered = new Set([...answeredByAll, ...queryTerms.map((term) => asked.get(term)?.word)])
        const inName = Object.values(match).filter((fields) => fields.includes("name")).length
        const explained = Math.min(1, inName / (this.#nameLengths[index] ?? 1))
        // MiniSearch multiplies by the number of terms, which here are many for one word.
        const relevance = score / queryTerms.length
        return {
          tool: this.#tools[index] as ToolDef,
          score: relevance * (answered.size / words.length) ** 2 * (1 - nameShare + nameShare * explained),
        }
      })
      .sort((one, other) => other.score - one.score)
  }

  /** What to look for: the words' own terms, and with less weight what else they may be called. */
  #askedTerms(words: ReadonlyArray<QueryWord>): ReadonlyMap<string, AskedTerm> {
    const asked = new Map<string, AskedTerm>()
    const ask = (term: string, word: QueryWord, isOwn: boolean): void => {
      if (!asked.has(term)) asked.set(term, { word, isOwn, weight: isOwn ? 1 : relatedWeight })
    }
    for (const word of words) for (const term of word.terms) ask(term, word, true)
    for (const word of words) for (const term of word.synonyms) ask(term, word, false)
    for (const word of words) {
      for (const term of word.terms) {
        for (const relative of this.#families.get(familyOf(term)) ?? []) ask(relative, word, false)
      }
    }
    return asked
  }
}

/** The index of a catalog. Searches that come while it is being made wait for the same one. */
export const toolIndexOf = (catalog: ToolCatalog): Promise<ToolIndex> => {
  const known = indexes.get(catalog)
  if (known !== undefined) return known
  const index = ToolIndex.make(catalog.tools)
  indexes.set(catalog, index)
  return index
}

const indexes = new WeakMap<ToolCatalog, Promise<ToolIndex>>()

interface IndexedTool {
  readonly id: number
  readonly name: string
  readonly title: string
  readonly keywords: string
  readonly description: string
}

interface AskedTerm {
  readonly word: QueryWord
  readonly isOwn: boolean
  readonly weight: number
}

const mostWords = 24
const fieldBoosts = { name: 3, title: 3, keywords: 1.5, description: 1 }
const relatedWeight = 0.4
/** How much of a score hangs on how much of the tool's name the query explains: `issues.create` before `issues.createComment`. */
const nameShare = 0.7

const toIndexed = ({ name, description = "", annotations, keywords = [] }: ToolDef, id: number): IndexedTool => ({
  id,
  name,
  title: annotations?.title ?? /^.*?(?=[.!?](?:\s|$)|\n|$)/.exec(description)?.[0] ?? "",
  keywords: keywords.join(" "),
  description,
})

const asItIs = (term: string): string => term

const families = (vocabulary: ReadonlySet<string>): ReadonlyMap<string, ReadonlyArray<string>> => {
  const found = new Map<string, Array<string>>()
  for (const term of vocabulary) {
    const family = familyOf(term)
    const relatives = found.get(family)
    if (relatives === undefined) found.set(family, [term])
    else relatives.push(term)
  }
  return found
}
