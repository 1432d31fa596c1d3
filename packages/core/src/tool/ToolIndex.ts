/**
 * What `tools.search` looks in: one index per catalog, made when the catalog is first searched and kept as long as it.
 *
 * BM25 by MiniSearch over name, title, keywords and description. Imported lazily: a host that never searches loads none of it.
 */
import { setImmediate } from "node:timers/promises"
import MiniSearch, { type SearchResult } from "minisearch"
import { familyOf, type KnownTerms, type QueryWord, queryWords, termsOf } from "./searchTerms.ts"
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

/** What is known of a catalog's terms beside where they are. */
class Vocabulary {
  /** How often each term is in a field of a tool. */
  readonly frequencies = new Map<string, number>()
  /** Terms by what they have in common. */
  readonly families = new Map<string, Array<string>>()
  /** How many terms each tool's name has. */
  readonly nameLengths: Array<number> = []

  /** Takes in the terms of one field. */
  add(terms: Iterable<string>, field: string | undefined): void {
    const distinct = new Set(terms)
    if (field === "name") this.nameLengths.push(distinct.size)
    for (const term of distinct) {
      const frequency = this.frequencies.get(term) ?? 0
      this.frequencies.set(term, frequency + 1)
      if (frequency === 0) this.#addToFamily(term)
    }
  }

  #addToFamily(term: string): void {
    const family = familyOf(term)
    const relatives = this.families.get(family)
    if (relatives === undefined) this.families.set(family, [term])
    else relatives.push(term)
  }
}

/** The tools of one catalog, ready to be searched. */
export class ToolIndex {
  readonly #tools: ReadonlyArray<ToolDef>
  readonly #index: MiniSearch<IndexedTool>
  readonly #vocabulary: Vocabulary

  private constructor(tools: ReadonlyArray<ToolDef>, index: MiniSearch<IndexedTool>, vocabulary: Vocabulary) {
    this.#tools = tools
    this.#index = index
    this.#vocabulary = vocabulary
  }

  /** Indexes tools a few milliseconds at a time, so that other work goes on meanwhile. */
  static async make(tools: ReadonlyArray<ToolDef>): Promise<ToolIndex> {
    const vocabulary = new Vocabulary()
    const known: KnownTerms = new Map()
    const index = new MiniSearch<IndexedTool>({
      fields: Object.keys(fieldBoosts),
      tokenize: (text, field) => {
        const terms = termsOf(text, known)
        vocabulary.add(terms, field)
        return terms
      },
      processTerm: asItIs,
    })
    let until = performance.now() + sliceMs
    for (const [id, tool] of tools.entries()) {
      index.add(toIndexed(tool, id))
      if (performance.now() < until) continue
      await setImmediate()
      until = performance.now() + sliceMs
    }
    // The index keeps its tokenizer, and with it what that knows.
    known.clear()
    return new ToolIndex(tools, index, vocabulary)
  }

  /**
   * The tools that fit, each with its score and in no order that can be relied on but for those of one score: those that have one of the
   * query's rarer words, judged by all of them.
   *
   * A word of `place`, the name of where the tools are, is answered by each of them; a query that names nothing else, by all.
   */
  search(words: ReadonlyArray<QueryWord>, place: string): ReadonlyArray<RankedTool> {
    const placeTerms = new Set(termsOf(place))
    const answeredByAll = words.filter(({ terms }) => terms.every((term) => placeTerms.has(term)))
    if (words.length > 0 && answeredByAll.length === words.length)
      return this.#tools.map((tool) => ({ tool, score: 1 }))
    const asked = words.map((word) => this.#ask(word))
    const { answers, ofAll } = answersByTerm(asked, answeredByAll)
    const { nameLengths } = this.#vocabulary
    return this.#look(asked, this.#candidates(asked.filter(({ word }) => !answeredByAll.includes(word)))).map(
      ({ id, score, queryTerms, match }) => {
        const index = id as number
        let answered = ofAll
        for (const term of queryTerms) answered |= answers.get(term) ?? 0
        let inName = 0
        for (const term in match) if (match[term]?.includes("name") === true) inName += 1
        const explained = Math.min(1, inName / (nameLengths[index] || 1))
        // MiniSearch multiplies by the number of terms, which here are many for one word.
        const relevance = score / queryTerms.length
        return {
          tool: this.#tools[index] as ToolDef,
          score: relevance * (countOf(answered) / words.length) ** 2 * (1 - nameShare + nameShare * explained),
        }
      },
    )
  }

  #ask(word: QueryWord): AskedWord {
    const { families, frequencies } = this.#vocabulary
    const family = word.terms.flatMap((term) => families.get(familyOf(term)) ?? [])
    const related = [...family, ...word.synonyms].filter((term) => !word.terms.includes(term))
    let frequency = 0
    for (const term of new Set([...word.terms, ...family])) frequency += frequencies.get(term) ?? 0
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
    const isUnknown = (term: string): boolean => own.has(term) && !this.#vocabulary.frequencies.has(term)
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

/** Each has a bit of a number. */
const mostWords = 24
/** How long indexing goes on without letting others have their turn, in milliseconds. */
const sliceMs = 4
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

/** Which of the query's words a term answers, a bit for each. */
const answersByTerm = (asked: ReadonlyArray<AskedWord>, answeredByAll: ReadonlyArray<QueryWord>) => {
  const answers = new Map<string, number>()
  let ofAll = 0
  for (const [place, { word, related }] of asked.entries()) {
    const bit = 1 << place
    if (answeredByAll.includes(word)) ofAll |= bit
    for (const term of [...word.terms, ...related]) answers.set(term, (answers.get(term) ?? 0) | bit)
  }
  return { answers, ofAll }
}

const countOf = (bits: number): number => {
  let count = 0
  for (let rest = bits; rest !== 0; rest &= rest - 1) count += 1
  return count
}
