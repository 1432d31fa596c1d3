/**
 * Patterns over the names of tools: text in which `*` stands for any run of characters, also none, dots included.
 *
 * Matched without regular expressions, so that no pattern can make a call slow.
 */

/** Whether a pattern matches a name, letter by letter; case counts. */
export const matches = (pattern: string, name: string): boolean => {
  if (pattern === "*") return true
  const star = pattern.indexOf("*")
  if (star === -1) return pattern === name
  const last = pattern.lastIndexOf("*")
  if (name.length < pattern.length - countStars(pattern, star)) return false
  if (!name.startsWith(pattern.slice(0, star)) || !name.endsWith(pattern.slice(last + 1))) return false
  // Each piece between two stars at its first place leaves the most room for the pieces that follow.
  const end = name.length - (pattern.length - last - 1)
  let from = star
  for (let start = star; start < last;) {
    const next = pattern.indexOf("*", start + 1)
    const piece = pattern.slice(start + 1, next)
    const found = name.indexOf(piece, from)
    if (found === -1 || found + piece.length > end) return false
    from = found + piece.length
    start = next
  }
  return from <= end
}

/**
 * Whether every name that the narrower pattern matches is matched by the wider one.
 *
 * The narrower is read as a name in which `*` is a letter that only a `*` can match; so the answer may be no where it could be yes,
 * never the other way round.
 */
export const covers = (wider: string, narrower: string): boolean => matches(wider, narrower)

const countStars = (pattern: string, first: number): number => {
  let count = 0
  for (let at = first; at !== -1; at = pattern.indexOf("*", at + 1)) count += 1
  return count
}
