/**
 * The ids of this provider: 1Password's secret references, and bare item ids where one vault is configured.
 *
 * Grammar and characters are those of https://developer.1password.com/docs/cli/secret-reference-syntax. Names that a
 * reference cannot spell (a slash, another script) are given by their 26-character id instead.
 */

/** What of a field is asked for: its value, its current one-time code, or a private key in OpenSSH's format. */
type FieldForm = "value" | "otp" | "openssh"

/** A parsed id. Names are as written; 1Password compares them without regard to case. */
export interface SecretReference {
  /** Name or id of the vault; `null` for a bare item id, which belongs to the one configured vault. */
  readonly vault: string | null
  /** Title or id of the item. */
  readonly item: string
  /** Name or id of the section; `null` when the reference names none. */
  readonly section: string | null
  /** Label or id of the field; `null` for a bare item id, which means the item's main secret. */
  readonly field: string | null
  readonly form: FieldForm
}

/** Why an id that begins like a reference is none; a sentence for a person. */
export interface InvalidReference {
  readonly problem: string
}

/**
 * Reads an id. `undefined` means that it is not 1Password's: neither `op://…` nor an item id.
 *
 * A reference that is misspelt gives {@link InvalidReference}. No accepted part begins with `-` or holds anything but
 * ASCII letters, digits, space, `_`, `.` and `-`, so that none can be taken for an option of `op`.
 */
export const parseSecretReference = (id: string): SecretReference | InvalidReference | undefined => {
  if (isItemId(id)) return { vault: null, item: id, section: null, field: null, form: "value" }
  if (!id.startsWith(scheme)) return undefined
  const [path = "", query, ...more] = id.slice(scheme.length).split("?")
  const segments = path.split("/")
  const form = formOf(query)
  if (form === undefined || more.length > 0) {
    return { problem: "The only queries are ?attribute=otp, ?attribute=value and ?ssh-format=openssh." }
  }
  if (segments.length < 3) return { problem: `It names no field: write ${shape}.` }
  if (segments.length > 4)
    return { problem: `It has too many slashes: write ${shape}, with ids for names that hold one.` }
  if (!segments.every(isName)) {
    return {
      problem:
        "A part is empty, begins with a dash, or holds characters other than ASCII letters, digits, space, _ . and -. Use the id of the vault, item, section or field there.",
    }
  }
  const [vault = "", item = "", ...rest] = segments
  const [section, field] = rest.length === 2 ? [rest[0] ?? "", rest[1] ?? ""] : [null, rest[0] ?? ""]
  return { vault, item, section, field, form }
}

/** Whether two names mean the same to 1Password, which compares without regard to case. */
export const isSameName = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase()

const scheme = "op://"
const shape = "op://vault/item/field or op://vault/item/section/field"

/** 1Password's ids are 26 characters of base 32. */
const isItemId = (text: string): boolean => /^[a-z2-7]{26}$/.test(text)

const isName = (segment: string): boolean => /^[A-Za-z0-9_.][A-Za-z0-9_. -]{0,254}$/.test(segment)

const formOf = (query: string | undefined): FieldForm | undefined => {
  switch (query) {
    case undefined:
    case "attribute=value":
      return "value"
    case "attribute=otp":
    case "attribute=totp":
      return "otp"
    case "ssh-format=openssh":
      return "openssh"
    default:
      return undefined
  }
}
