/**
 * How a secret can be spelled in a header, a URL or a body: plain, percent-, form- or JSON-encoded, in base64, or several of
 * these one inside the other.
 *
 * Pure functions over text, for `applyAuth`, which looks for secrets in what must not hold them.
 */

/** The spellings that encoders make of a text in one go. */
export const spell = (text: string): ReadonlyArray<string> => {
  const bytes = Buffer.from(text, "utf8")
  const encoded = spellBase64(bytes.toString("base64"))
  if (looksTheSameEverywhere.test(text)) return [text, ...encoded]
  const form = new URLSearchParams({ v: text }).toString().slice(2)
  // The last one: UTF-8 bytes as they look in text that was read byte by byte.
  return [
    text,
    encodeURIComponent(text.toWellFormed()),
    form,
    JSON.stringify(text).slice(1, -1),
    bytes.toString("latin1"),
    ...encoded,
  ]
}

/** Base64 without its padding, in both alphabets. */
export const spellBase64 = (base64: string): ReadonlyArray<string> => {
  const unpadded = base64.replace(/=+$/, "")
  return [unpadded, unpadded.replaceAll("+", "-").replaceAll("/", "_")]
}

/** Whether {@link decode} could find more in a text than is there to be seen. */
export const mayBeEncoded = (text: string): boolean =>
  (text.includes("%") || text.includes("\\")) && /%[0-9a-f]{2}|\\[u/\\]/i.test(text)

/** Undoes percent-, form- and JSON-encoding, one inside the other, up to five deep. */
export const decode = (text: string): string => {
  let decoded = text
  for (let depth = 0; depth < 5 && (decoded.includes("%") || decoded.includes("\\")); depth += 1) {
    decoded = decoded
      .replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"))
      .replace(/\\(?:u([0-9a-f]{4})|(["\\/]))/gi, (_, unit: string | undefined, character: string | undefined) =>
        unit === undefined ? (character ?? "") : String.fromCharCode(Number.parseInt(unit, 16)),
      )
  }
  return decoded.replaceAll("+", " ")
}

/** A pattern, for the flag `u`, of a text in which each character may be percent-encoded any number of times or JSON-escaped. */
export const anySpelling = (text: string): string =>
  Array.from(text.toWellFormed(), (character) => {
    const literal = `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
    const percent = Array.from(Buffer.from(character, "utf8"), (byte) => `%(?:25)*${hexadecimal(byte, 2)}`).join("")
    const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index))
    const escaped = units.map((unit) => `\\\\+u${hexadecimal(unit, 4)}`).join("")
    return `(?:${literal}|\\\\${literal}|${percent}|${escaped}${character === " " ? "|\\+" : ""})`
  }).join("")

const looksTheSameEverywhere = /^[\w.-]*$/

const hexadecimal = (value: number, digits: number): string =>
  value
    .toString(16)
    .padStart(digits, "0")
    .replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`)
