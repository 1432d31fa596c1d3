/**
 * Ids as account names of a keychain, one to one.
 *
 * Keychains differ in what they do to a name: one folds case, one replaces broken text, one stops at an empty name. Plain
 * ids stay readable, so that an entry made by hand is found; every other character is written as its UTF-8 bytes in
 * hexadecimal, like in a URL, and an unpaired surrogate as `%uD800`.
 */

/** The account name for an id. Different ids give different names, also to a keychain that ignores case (`foldsCase`). */
export const accountNameOf = (id: string, foldsCase: boolean): string =>
  id === "" ? "%" : id.replace(foldsCase ? notPlainInOneCase : notPlain, escaped)

/** The id of an account name; `undefined` when no id has it. */
export const idOfAccountName = (name: string, foldsCase: boolean): string | undefined => {
  if (name === "%") return ""
  const id = name.replace(
    /((?:%[0-9A-F]{2})+)|%u([0-9A-F]{4})/g,
    (_, bytes: string | undefined, unit: string | undefined) =>
      bytes === undefined
        ? String.fromCharCode(Number.parseInt(unit ?? "", 16))
        : Buffer.from(bytes.replaceAll("%", ""), "hex").toString("utf8"),
  )
  return accountNameOf(id, foldsCase) === name ? id : undefined
}

const notPlain = /[^A-Za-z0-9_.:/@+=,-]/gu
const notPlainInOneCase = /[^a-z0-9_.:/@+=,-]/gu

const escaped = (character: string): string =>
  character.isWellFormed()
    ? [...Buffer.from(character, "utf8")].map((byte) => `%${hexadecimal(byte, 2)}`).join("")
    : `%u${hexadecimal(character.charCodeAt(0), 4)}`

const hexadecimal = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, "0")
