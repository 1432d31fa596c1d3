/**
 * Text in which `*` stands for any run of characters, also none, dots included. Of tools' names and of the parts of addresses.
 *
 * Matched without regular expressions: what it costs grows with the text, however many stars there are, so that no pattern can make a
 * call slow.
 */

/** A pattern that was read. */
export interface Glob {
  /** What it matches alone, where it holds no `*`. */
  readonly literal: string | undefined
  /** What all that it matches begins with. */
  readonly prefix: string
  /**
   * Whether it matches a text, letter by letter; case counts.
   *
   * Given another pattern, whether it covers it: a `*` in there is a letter that only a `*` can match. So the answer may be no where it
   * could be yes, never the other way round.
   */
  readonly matches: (text: string) => boolean
}

/** Reads a pattern. */
export const compileGlob = (pattern: string): Glob => {
  const pieces = pattern.split(/\*+/u)
  const [first = ""] = pieces
  if (pieces.length === 1) return { literal: pattern, prefix: pattern, matches: (text) => text === pattern }
  const last = pieces[pieces.length - 1] ?? ""
  const middle = pieces.slice(1, -1)
  if (first === "" && last === "" && middle.length === 0) return anyText
  return {
    literal: undefined,
    prefix: first,
    matches: (text) => {
      if (!text.startsWith(first)) return false
      const end = text.length - last.length
      let from = first.length
      // The earliest place for each piece leaves the most room for those that follow.
      for (const piece of middle) {
        const found = text.indexOf(piece, from)
        if (found === -1) return false
        from = found + piece.length
      }
      return from <= end && text.endsWith(last)
    },
  }
}

/** What `*` alone is. */
export const anyText: Glob = { literal: undefined, prefix: "", matches: () => true }
