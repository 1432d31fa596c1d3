/**
 * What `tools.search` looks in: one index per catalog, made when the catalog is first searched and kept as long as it.
 *
 * BM25 by MiniSearch over name, title, keywords and description. Imported lazily: a host that never searches loads none of it.
 */
import MiniSearch, { type SearchResult } from "minisearch"
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
export const readQuery = (query: string): ReadonlyArray<QueryWord> => queryWords(query.slice(0, longestText), mostWords)

/** The tools of one catalog, ready to be searched. */
export class ToolIndex {
  readonly #tools: ReadonlyArray<ToolDef>
  readonly #index: MiniSearch<IndexedTool>
  /** How many terms each tool's name has. */
  readonly #nameLengths: ReadonlyArray<number>
  /** How often each term is in a field of a tool. */
  readonly #frequencies: ReadonlyMap<string, number>
  /** Terms by what they have in common. */
  readonly #families: ReadonlyMap<string, ReadonlyArray<string>>

  private constructor(
    tools: ReadonlyArray<ToolDef>,
    index: MiniSearch<IndexedTool>,
    frequencies: ReadonlyMap<string, number>,
  ) {
    this.#tools = tools
    this.#index = index
    this.#frequencies = frequencies
    this.#nameLengths = tools.map(({ name }) => new Set(termsOf(name)).size)
    this.#families = families(frequencies.keys())
  }

  /** Indexes tools in portions, so that other work goes on meanwhile. */
  static async make(tools: ReadonlyArray<ToolDef>): Promise<ToolIndex> {
    const frequencies = new Map<string, number>()
    const index = new MiniSearch<IndexedTool>({
      fields: Object.keys(fieldBoosts),
      tokenize: (text) => {
        const terms = [...termsOf(text)]
        for (const term of new Set(terms)) frequencies.set(term, (frequencies.get(term) ?? 0) + 1)
        return terms
      },
      processTerm: asItIs,
    })
    await index.addAllAsync(tools.map(toIndexed), { chunkSize: 200 })
    return new ToolIndex(tools, index, frequencies)
  }

  /**
   * The tools that fit, best first: those that have one of the query's rarer words, ranked by all of them.
   *
   * A word of `place`, the name of where the tools are, is answered by each of them; a query that names nothing else, by all.
   */
  search(words: ReadonlyArray<QueryWord>, place: string): ReadonlyArray<RankedTool> {
    const placeTerms = new Set(termsOf(place))
    const answeredByAll = words.filter(({ terms }) => terms.every((term) => placeTerms.has(term)))
    if (words.length > 0 && answeredByAll.length === words.length)
      return this.#tools.map((tool) => ({ tool, score: 1 }))
    const asked = words.map((word) => this.#ask(word))
    const wordsOf = wordsByTerm(asked)
    return this.#look(asked, this.#candidates(asked.filter(({ word }) => !answeredByAll.includes(word))))
      .map(({ id, score, queryTerms, match }) => {
        const index = id as number
        const answered = new Set(answeredByAll)
        for (const term of queryTerms) for (const word of wordsOf.get(term) ?? []) answered.add(word)
        let inName = 0
        for (const term in match) if (match[term]?.includes("name") === true) inName += 1
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

  #ask(word: QueryWord): AskedWord {
    const family = word.terms.flatMap((term) => this.#families.get(familyOf(term)) ?? [])
    const related = [...family, ...word.synonyms].filter((term) => !word.terms.includes(term))
    let frequency = 0
    for (const term of new Set([...word.terms, ...family])) frequency += this.#frequencies.get(term) ?? 0
    return { word, related, frequency }
  }

  /**
   * The tools that have one of the rarer words, where there are more of the others than can be ranked in time; else `undefined`.
   *
   * Half of ten thousand tools "list" or "get" something: such words tell candidates apart and make none.
   */
  #candidates(asked: ReadonlyArray<AskedWord>): ReadonlySet<number> | undefined {
    const rarestFirst = asked.toSorted((one, other) => one.frequency - other.frequency)
    let found = 0
    const common = rarestFirst.findIndex(({ frequency }) => {
      const isTooMuch = found > 0 && found + frequency > mostCandidates
      found += frequency
      return isTooMuch
    })
    if (common === -1) return undefined
    const rare = rarestFirst.slice(0, common).map((one) => ({ ...one, related: [] }))
    return new Set(this.#look(rare, undefined).map(({ id }) => id as number))
  }

  #look(asked: ReadonlyArray<AskedWord>, among: ReadonlySet<number> | undefined): ReadonlyArray<SearchResult> {
    const own = new Set(asked.flatMap(({ word }) => word.terms))
    const related = new Set(asked.flatMap((one) => one.related).filter((term) => !own.has(term)))
    const isUnknown = (term: string): boolean => own.has(term) && !this.#frequencies.has(term)
    const ownTerms = [...own].join(" ")
    const relatedTerms = { queries: [[...related].join(" ")], fields: ["name", "title", "keywords"] }
    return this.#index.search(
      { combineWith: "OR", queries: related.size === 0 ? [ownTerms] : [ownTerms, relatedTerms] },
      {
        tokenize: (text) => text.split(" "),
        processTerm: asItIs,
        boost: fieldBoosts,
        boostTerm: (term) => (own.has(term) ? 1 : relatedWeight),
        // Words that no tool has may be cut short or misspelled.
        prefix: (term) => term.length >= 3 && isUnknown(term),
        fuzzy: (term) => (term.length >= 4 && isUnknown(term) ? 0.25 : false),
        ...(among === undefined ? {} : { boostDocument: (id: number) => (among.has(id) ? 1 : 0) }),
      },
    )
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

interface AskedWord {
  readonly word: QueryWord
  /** Other terms for it: other forms and words of the same meaning. */
  readonly related: ReadonlyArray<string>
  /** How often it is in a field of a tool, in any of its forms. */
  readonly frequency: number
}

const mostWords = 24
/** How much of a query, a description or keywords is read, in characters: catalogs may come from strangers. */
const longestText = 2_000
const fieldBoosts = { name: 3, title: 3, keywords: 1.5, description: 1 }
const relatedWeight = 0.4
const mostCandidates = 2_500
/** How much of a score hangs on how much of the tool's name the query explains: `issues.create` before `issues.createComment`. */
const nameShare = 0.7

const toIndexed = ({ name, description = "", annotations, keywords = [] }: ToolDef, id: number): IndexedTool => ({
  id,
  name,
  title:
    annotations?.title?.slice(0, longestText) ??
    /^.*?(?=[.!?](?:\s|$)|\n|$)/.exec(description.slice(0, longestText))?.[0] ??
    "",
  keywords: keywords.join(" ").slice(0, longestText),
  description: description.slice(0, longestText),
})

const asItIs = (term: string): string => term

const families = (terms: Iterable<string>): ReadonlyMap<string, ReadonlyArray<string>> => {
  const found = new Map<string, Array<string>>()
  for (const term of terms) {
    const family = familyOf(term)
    const relatives = found.get(family)
    if (relatives === undefined) found.set(family, [term])
    else relatives.push(term)
  }
  return found
}

const wordsByTerm = (asked: ReadonlyArray<AskedWord>): ReadonlyMap<string, ReadonlyArray<QueryWord>> => {
  const found = new Map<string, Array<QueryWord>>()
  for (const { word, related } of asked) {
    for (const term of [...word.terms, ...related]) {
      const known = found.get(term)
      if (known === undefined) found.set(term, [word])
      else known.push(word)
    }
  }
  return found
}
