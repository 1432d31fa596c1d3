/**
 * An item as `op item get --format json` prints it, and the rule that picks the secret a reference means.
 *
 * Pure. Values are wrapped the moment they are decoded; a document that does not decode gives `undefined` and no detail,
 * because a parser's error quotes what it read.
 */
import type { ProviderDeniedError } from "@keyward/core/effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { denied, fieldNotFound } from "./opFailure.ts"
import { isSameName, type SecretReference } from "./SecretReference.ts"

/** A vault as items and lists name it. */
export interface OpVault {
  readonly id: string
  /** Absent where `op` leaves it out. */
  readonly name: string | undefined
}

/** One field, its secrets wrapped. */
interface OpField {
  readonly id: string
  readonly label: string
  readonly section: { readonly id: string; readonly label: string } | undefined
  readonly type: string
  readonly purpose: string
  /** Empty text when the field is empty. */
  readonly value: Redacted.Redacted
  /** The one-time code of the moment at which the item was read. */
  readonly otp: Redacted.Redacted | undefined
  readonly openssh: Redacted.Redacted | undefined
}

/** One item with all its fields. */
export interface OpItem {
  readonly id: string
  readonly title: string
  readonly category: string
  readonly vault: OpVault
  readonly fields: ReadonlyArray<OpField>
  /** Names and ids of attached files, whose contents are not read. */
  readonly files: ReadonlyArray<string>
}

/** One line of `op item list`. */
export interface OpListedItem {
  readonly id: string
  readonly title: string
  readonly category: string
  readonly vault: OpVault
}

/** Decodes the output of `op item get`. */
export const decodeItem = (output: string): OpItem | undefined => {
  const item = decoded(itemSchema, output)
  return (
    item && {
      id: item.id,
      title: item.title,
      category: item.category ?? "",
      vault: vaultOf(item.vault),
      files: (item.files ?? []).flatMap((file) => [file.id, file.name]),
      fields: (item.fields ?? []).map((field) => ({
        id: field.id,
        label: field.label ?? "",
        section: field.section && { id: field.section.id, label: field.section.label ?? "" },
        type: field.type ?? "",
        purpose: field.purpose ?? "",
        value: Redacted.make(field.value ?? ""),
        otp: field.totp === undefined ? undefined : Redacted.make(field.totp),
        openssh: field.ssh_formats?.openssh === undefined ? undefined : Redacted.make(field.ssh_formats.openssh.value),
      })),
    }
  )
}

/** Decodes the output of `op item list`. */
export const decodeItemList = (output: string): ReadonlyArray<OpListedItem> | undefined =>
  decoded(itemListSchema, output)?.map(({ id, title, category, vault }) => ({
    id,
    title,
    category,
    vault: vaultOf(vault),
  }))

/** Decodes the output of `op vault list`. */
export const decodeVaultList = (output: string): ReadonlyArray<OpVault> | undefined =>
  decoded(Schema.Array(vaultSchema), output)?.map(vaultOf)

/** The field that holds the secret of an item of this category; `undefined` where a category has no such field. */
export const mainFieldOf = (category: string): string | undefined => mainFields.get(category)

/** The secret a reference means within its item, or why there is none. `subject` is the quoted reference. */
export const pickSecret = (
  item: OpItem,
  reference: SecretReference,
  subject: string,
): Redacted.Redacted | ProviderDeniedError => {
  const candidates =
    reference.field === null ? mainSecrets(item) : namedFields(item, reference.section, reference.field)
  const [field, ...others] = distinct(candidates)
  if (field === undefined) {
    return item.files.some((file) => isSameName(file, reference.field ?? ""))
      ? denied("not_supported", `${subject} is an attached file. Keep the secret in a field of the item.`)
      : fieldNotFound(subject)
  }
  if (others.length > 0) {
    return denied(
      "ambiguous",
      `The item has more than one such field for ${subject}. Name the section, or use the field's id.`,
    )
  }
  const secret = secretOf(field, reference)
  return (
    secret ??
    denied(
      "not_supported",
      `The field of ${subject} has no ${reference.form === "otp" ? "one-time password" : "OpenSSH format"}.`,
    )
  )
}

/** The item without its one-time codes, which are not to be used twice. */
export const withoutCodes = (item: OpItem): OpItem => ({
  ...item,
  fields: item.fields.map((field) => ({ ...field, otp: undefined })),
})

const vaultSchema = Schema.Struct({ id: Schema.String, name: Schema.optionalKey(Schema.String) })

const itemSchema = Schema.Struct({
  id: Schema.String,
  title: Schema.String,
  category: Schema.optionalKey(Schema.String),
  vault: vaultSchema,
  fields: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        id: Schema.String,
        label: Schema.optionalKey(Schema.String),
        type: Schema.optionalKey(Schema.String),
        purpose: Schema.optionalKey(Schema.String),
        value: Schema.optionalKey(Schema.String),
        totp: Schema.optionalKey(Schema.String),
        section: Schema.optionalKey(Schema.Struct({ id: Schema.String, label: Schema.optionalKey(Schema.String) })),
        ssh_formats: Schema.optionalKey(
          Schema.Struct({ openssh: Schema.optionalKey(Schema.Struct({ value: Schema.String })) }),
        ),
      }),
    ),
  ),
  files: Schema.optionalKey(Schema.Array(Schema.Struct({ id: Schema.String, name: Schema.String }))),
})

const itemListSchema = Schema.Array(
  Schema.Struct({ id: Schema.String, title: Schema.String, category: Schema.String, vault: vaultSchema }),
)

const mainFields = new Map([
  ["LOGIN", "password"],
  ["PASSWORD", "password"],
  ["DATABASE", "password"],
  ["SERVER", "password"],
  ["API_CREDENTIAL", "credential"],
  ["SECURE_NOTE", "notesPlain"],
  ["SSH_KEY", "private_key"],
])

const decoded = <A>(schema: Schema.Decoder<A>, output: string): A | undefined => {
  try {
    return Option.getOrUndefined(Schema.decodeUnknownOption(schema)(JSON.parse(output)))
  } catch {
    return undefined
  }
}

const vaultOf = (vault: { readonly id: string; readonly name?: string }): OpVault => ({
  id: vault.id,
  name: vault.name,
})

const secretOf = (field: OpField, { form }: SecretReference): Redacted.Redacted | undefined => {
  switch (form) {
    case "value":
      return field.value
    case "otp":
      return field.otp
    case "openssh":
      return field.openssh
  }
}

/** What a bare item id means: the password, else the field its category keeps the secret in, else the only concealed field. */
const mainSecrets = ({ category, fields }: OpItem): ReadonlyArray<OpField> => {
  const password = fields.filter((field) => field.purpose === "PASSWORD")
  if (password.length > 0) return password
  const usual = fields.filter((field) => field.id === mainFieldOf(category) && field.section === undefined)
  return usual.length > 0 ? usual : fields.filter((field) => field.type === "CONCEALED")
}

/** Fields by id or label, ids first; without a section in the reference, fields outside sections first. */
const namedFields = (item: OpItem, section: string | null, name: string): ReadonlyArray<OpField> => {
  const within = item.fields.filter(
    (field) =>
      section === null ||
      (field.section !== undefined && (field.section.id === section || isSameName(field.section.label, section))),
  )
  const byId = within.filter((field) => field.id === name)
  const named = byId.length > 0 ? byId : within.filter((field) => isSameName(field.label, name))
  const outside = section === null ? named.filter((field) => field.section === undefined) : []
  return outside.length > 0 ? outside : named
}

/** `op` prints a field twice when its section is listed twice. */
const distinct = (fields: ReadonlyArray<OpField>): ReadonlyArray<OpField> => [
  ...new Map(fields.map((field) => [`${field.section?.id ?? ""}\0${field.id}`, field])).values(),
]
