/**
 * What a host passes to `connections.create`, and the rules of where a credential may come from; pure.
 *
 * Exactly one origin: `value`, `values`, `from` or `inputs`; one provider per connection.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { CompiledTemplate } from "../auth/AuthTemplate.ts"
import { quote } from "../error/KeywardError.ts"
import { InvalidConnectionInputError } from "./ConnectionError.ts"
import type { ConnectionRef } from "./ConnectionRef.ts"

/** An item that somebody else keeps in a provider; read on each use, never copied. */
export interface ExternalReference {
  /** The provider's key. */
  readonly provider: string
  /** The provider's own id, opaque to Keyward. */
  readonly id: string
}

/** Where the value of one variable comes from. */
export type ConnectionInput = { readonly value: string } | { readonly from: ExternalReference }

/** A connection to create, or to replace under the same reference. */
export interface CreateConnectionInput extends ConnectionRef {
  /** The slug of one of the integration's auth templates, or `"none"`. */
  readonly template: string
  readonly identityLabel?: string | null | undefined
  readonly description?: string | null | undefined
  /** The value of the variable `token`. */
  readonly value?: string | undefined
  /** A value per variable. */
  readonly values?: Readonly<Record<string, string>> | undefined
  /** The variable `token`, kept elsewhere. */
  readonly from?: ExternalReference | undefined
  /** An origin per variable. */
  readonly inputs?: Readonly<Record<string, ConnectionInput>> | undefined
}

/** Where a connection's credential comes from, checked. */
export type CredentialOrigin =
  | { readonly kind: "none" }
  | { readonly kind: "pasted"; readonly values: ReadonlyMap<string, Redacted.Redacted> }
  | { readonly kind: "external"; readonly provider: string; readonly ids: ReadonlyMap<string, string> }

/** Reads the origin of a connection's credential against its template; fails with the field at fault. */
export const credentialOrigin = (
  input: CreateConnectionInput,
  template: CompiledTemplate,
): Effect.Effect<CredentialOrigin, InvalidConnectionInputError> => {
  const given = originFields.filter((field) => input[field] !== undefined)
  const [field] = given
  if (template.variables.length === 0) {
    return field === undefined || (given.length === 1 && isEmptyMap(input[field]))
      ? Effect.succeed({ kind: "none" })
      : invalid(field, `the template ${quote(template.slug)} takes no credential; leave it out.`)
  }
  if (field === undefined) {
    return invalid(
      "origin",
      `the template ${quote(template.slug)} needs ${listed(template.variables)}. Pass value, values, from or inputs.`,
    )
  }
  if (given.length > 1)
    return invalid("origin", `pass exactly one of value, values, from and inputs; got ${given.join(" and ")}.`)
  const inputs = asInputs(input, field)
  return typeof inputs === "string" ? invalid(field, inputs) : checked(inputs, field, template)
}

const originFields = ["value", "values", "from", "inputs"] as const
type OriginField = (typeof originFields)[number]

type Inputs = ReadonlyMap<string, { readonly value: string } | { readonly from: ExternalReference }>

/** Every origin form as the canonical one, or what is wrong with it. */
const asInputs = (input: CreateConnectionInput, field: OriginField): Inputs | string => {
  const given: unknown = input[field]
  if (field === "value") return readInput({ value: given }, "token", (one) => new Map([["token", one]]))
  if (field === "from") return readInput({ from: given }, "token", (one) => new Map([["token", one]]))
  if (!isRecord(given)) return "must be an object by variable."
  const inputs = new Map<string, { readonly value: string } | { readonly from: ExternalReference }>()
  for (const [variable, entry] of Object.entries(given)) {
    const fault = readInput(field === "values" ? { value: entry } : entry, variable, (one) => {
      inputs.set(variable, one)
      return inputs
    })
    if (typeof fault === "string") return fault
  }
  return inputs
}

const readInput = (
  entry: unknown,
  variable: string,
  accept: (input: { readonly value: string } | { readonly from: ExternalReference }) => Inputs,
): Inputs | string => {
  if (!isRecord(entry)) return `the variable ${quote(variable)} must be { value } or { from: { provider, id } }.`
  const { value, from } = entry
  if (value !== undefined && from !== undefined) return `the variable ${quote(variable)} has both value and from.`
  if (typeof value === "string") return accept({ value })
  if (isRecord(from) && isFilled(from["provider"]) && isFilled(from["id"])) {
    return accept({ from: { provider: from["provider"], id: from["id"] } })
  }
  return from === undefined
    ? `the variable ${quote(variable)} must be text.`
    : `the variable ${quote(variable)} needs from: { provider, id }, both as text.`
}

const checked = (
  inputs: Inputs,
  field: OriginField,
  template: CompiledTemplate,
): Effect.Effect<CredentialOrigin, InvalidConnectionInputError> => {
  const absent = template.variables.filter((variable) => !inputs.has(variable))
  const unknown = [...inputs.keys()].filter((variable) => !template.variables.includes(variable))
  if (absent.length > 0) {
    const form = template.variables.map((variable) => `${JSON.stringify(variable)}: …`).join(", ")
    return invalid(
      field,
      `the template ${quote(template.slug)} also needs ${listed(absent)}. Pass ${field === "from" || field === "inputs" ? "inputs" : "values"}: { ${form} }.`,
    )
  }
  if (unknown.length > 0) {
    return invalid(
      field,
      `the template ${quote(template.slug)} has no variable ${listed(unknown)}; it has ${listed(template.variables)}.`,
    )
  }
  const values = new Map<string, Redacted.Redacted>()
  const ids = new Map<string, string>()
  const providers = new Set<string>()
  for (const [variable, input] of inputs) {
    if ("value" in input) values.set(variable, Redacted.make(input.value))
    else {
      ids.set(variable, input.from.id)
      providers.add(input.from.provider)
    }
  }
  const [provider] = providers
  if (provider === undefined) return Effect.succeed({ kind: "pasted", values })
  if (values.size > 0)
    return invalid(field, "pasted and external values cannot be mixed in one connection; one provider holds them all.")
  if (providers.size > 1) return invalid(field, `one connection has one provider; got ${listed([...providers])}.`)
  return Effect.succeed({ kind: "external", provider, ids })
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isFilled = (value: unknown): value is string => typeof value === "string" && value !== ""

const isEmptyMap = (value: unknown): boolean => isRecord(value) && Object.keys(value).length === 0

const listed = (names: ReadonlyArray<string>): string => names.map((name) => quote(name)).join(", ")

const invalid = (field: string, fault: string): Effect.Effect<never, InvalidConnectionInputError> =>
  Effect.fail(new InvalidConnectionInputError({ field, fault }))
