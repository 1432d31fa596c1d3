/**
 * Names from documents as JavaScript identifiers: `list-pets` becomes `listPets`, `petstore_auth` stays.
 */

/** The name as an identifier; `undefined` when no letter or digit is left in it. */
export const identifierOf = (name: string): string | undefined => {
  const text = name.normalize("NFC")
  if (isIdentifier.test(text)) return reserved.has(text) ? `${text}_` : text
  const [first, ...rest] = text.split(/[^\p{L}\p{N}\p{M}_$]+/u).filter((word) => word !== "")
  if (first === undefined) return undefined
  const joined = decapitalise(first) + rest.map(capitalise).join("")
  const identifier = isIdentifier.test(joined) ? joined : `_${joined}`
  return isIdentifier.test(identifier) ? (reserved.has(identifier) ? `${identifier}_` : identifier) : undefined
}

/** The word with its first letter in upper case. */
export const capitalise = (word: string): string => {
  const [first = ""] = word
  return first.toUpperCase() + word.slice(first.length)
}

/** `Pets` becomes `pets`; `APIKey` and `ID` keep their capitals, because they are spelled that way on purpose. */
const decapitalise = (word: string): string =>
  /^\p{Lu}[\p{Ll}\p{N}]/u.test(word) ? word.charAt(0).toLowerCase() + word.slice(1) : word

const isIdentifier = /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u
const reserved = new Set(["__proto__", "constructor", "prototype"])
