/**
 * Text as the terms that tools are found by: words, split where a name changes case, in lower case and in the singular.
 *
 * A word of a query brings what it may also be called: who wants to "create" must find what an API calls "post".
 */
import { stemmer } from "stemmer"

/** One word of a query. */
export interface QueryWord {
  /** The word's own terms; several where it is a compound name or an abbreviation of several words. */
  readonly terms: ReadonlyArray<string>
  /** Terms of the same meaning. */
  readonly synonyms: ReadonlyArray<string>
}

/** The terms of words that were met before; for whoever reads many texts of one kind. */
export type KnownTerms = Map<string, ReadonlyArray<string>>

/** The terms of a text, in order, repeated as often as they occur. A compound name gives itself and its parts; very long words give none. */
export const termsOf = (text: string, known: KnownTerms = new Map()): Array<string> => {
  const terms: Array<string> = []
  for (const word of text.match(words) ?? []) {
    if (word.length > longestWord) continue
    let own = known.get(word)
    if (own === undefined) known.set(word, (own = termsOfWord(word)))
    for (const term of own) terms.push(term)
  }
  return terms
}

const termsOfWord = (word: string): ReadonlyArray<string> => {
  const parts = word.match(partsOfName) ?? []
  const terms = parts.map(termOf)
  // `GitHub`, `OAuth` and `createComment` are written as one word elsewhere.
  return parts.length === 1 ? terms : [termOf(word), ...terms]
}

/** The words of a query that say something, each once, at most `limit`; all of them where none says anything. */
export const queryWords = (query: string, limit: number): ReadonlyArray<QueryWord> => {
  const all = query.match(words) ?? []
  const telling = all.filter((word) => !stopWords.has(word.toLowerCase()))
  const found = new Map<string, QueryWord>()
  for (const word of telling.length > 0 ? telling : all) {
    if (found.size >= limit) break
    const terms = [...new Set(termsOf(abbreviations.get(word.toLowerCase()) ?? word))]
    if (terms.length === 0) continue
    const synonyms = terms.length === 1 ? synonymsOf.get(terms[0] ?? "") : undefined
    found.set(terms.join(" "), { terms, synonyms: synonyms ?? [] })
  }
  return [...found.values()]
}

/** What the forms of an English word have in common, such as `cancel` of `cancelled`; sometimes of words that only look alike. */
export const familyOf = (term: string): string => stemmer(term)

/** What is longer is no word, and costs more than it is worth. */
const longestWord = 64

const words = /[\p{L}\p{M}\p{N}]+/gu

/** `HTTPServer2` is made of `HTTP`, `Server` and `2`. */
const partsOfName = /\p{Lu}+(?![\p{Ll}\p{M}])|\p{Lu}?[\p{Ll}\p{M}]+|\p{N}+|[\p{Lo}\p{Lt}\p{Lm}\p{M}]+|\p{Lu}+/gu

const termOf = (word: string): string => {
  const singular = singularOf(word.toLowerCase())
  return shortForms.get(singular) ?? singular
}

/** In the singular and nothing more: with all endings gone, a customer would become a custom. */
const singularOf = (word: string): string => {
  if (word.length < 4 || !word.endsWith("s") || /(?:ss|us|is)$/.test(word)) return word
  if (word.endsWith("ies")) return `${word.slice(0, -3)}y`
  return /(?:[sx]|ch|sh)es$/.test(word) ? word.slice(0, -2) : word.slice(0, -1)
}

/** Short forms that stand in names as well as in queries, and are the same word. */
const shortForms = new Map([
  ["repo", "repository"],
  ["org", "organization"],
])

/** Short forms that stand in queries. */
const abbreviations = new Map([
  ["pr", "pull request"],
  ["prs", "pull requests"],
])

const stopWords = new Set(
  (
    "a an and any are as at be by can do does for from give how i in into is it its let me my of on or our please " +
    "should some someone somebody something that the their them then there these this to us want was we what when " +
    "where which who will with you your"
  ).split(" "),
)

/** Words that APIs and people use for the same thing; within a line each stands for the others. */
const sameMeaning = [
  "create add make new post publish register",
  "get read retrieve fetch show view",
  "list get all browse",
  "find search query lookup filter",
  "delete remove destroy erase",
  "update edit change modify set patch put",
  "start trigger run dispatch launch",
  "stop cancel abort end",
  "send deliver",
  "file content",
]

const synonymsOf: ReadonlyMap<string, ReadonlyArray<string>> = (() => {
  const found = new Map<string, Set<string>>()
  for (const line of sameMeaning) {
    const terms = line.split(" ")
    for (const term of terms) {
      const synonyms = found.get(term) ?? new Set()
      for (const other of terms) if (other !== term) synonyms.add(other)
      found.set(term, synonyms)
    }
  }
  return new Map([...found].map(([term, synonyms]) => [term, [...synonyms]]))
})()
