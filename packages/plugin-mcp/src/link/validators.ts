/**
 * Validation of what tools answer against their output schemas: one compiled validator per schema, however many calls and clients.
 */
import { guardedCheck } from "@keyward/core/effect"
import type { ClientOptions, JsonSchemaValidator } from "@modelcontextprotocol/client"
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/client/validators/ajv"

type ValidatorProvider = NonNullable<ClientOptions["jsonSchemaValidator"]>

const overdue = { valid: false, data: undefined, errorMessage: "it cannot be checked in time" } as const

/** Remembers validators for as long as the catalog keeps their schemas. */
export const rememberingValidators = (): ValidatorProvider => {
  const known = new WeakMap<object, JsonSchemaValidator<unknown>>()
  const getValidator = (schema: object): JsonSchemaValidator<unknown> => {
    // A provider of its own: two tools may use one $id.
    const make = (own: object): JsonSchemaValidator<unknown> => new AjvJsonSchemaValidator().getValidator(own)
    const validator = known.get(schema) ?? guardedCheck(schema, make, overdue)
    known.set(schema, validator)
    return validator
  }
  return { getValidator } as ValidatorProvider
}
