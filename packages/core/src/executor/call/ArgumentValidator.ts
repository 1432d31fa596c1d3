/**
 * Checks a call's arguments against the tool's input schema before anything else happens.
 *
 * JSON Schema 2020-12 by Ajv, loaded with the first schema and compiled once per tool. Messages name the path and what was
 * expected there, never the value that was given.
 */
import type { ErrorObject, ValidateFunction } from "ajv/dist/2020.js"
import * as Effect from "effect/Effect"
import { quote } from "../../error/KeywardError.ts"
import { guardedCheck } from "../../tool/guardedCheck.ts"
import type { JsonSchema, ToolDef } from "../../tool/Tool.ts"
import { InvalidToolError } from "../../tool/ToolError.ts"

/** One thing that is wrong with the arguments. */
export interface ArgumentIssue {
  /** A JSON pointer into the arguments; empty for the arguments themselves. */
  readonly path: string
  readonly expected: string
}

/** Answers what is wrong with arguments; an empty list accepts them. */
export type ArgumentValidator = (args: unknown) => ReadonlyArray<ArgumentIssue>

/**
 * The validator of a tool whose input schema is known; compiled on first use and kept as long as the tool.
 *
 * Fails with `InvalidToolError` for a schema that does not compile, such as one with a reference that leads nowhere.
 */
export const validatorOf = (
  integration: string,
  tool: ToolDef,
  inputSchema: JsonSchema,
): Effect.Effect<ArgumentValidator, InvalidToolError> => {
  const known = validators.get(tool)
  return known === undefined
    ? Effect.flatMap(
        Effect.promise(() => import("./ajv2020.ts")),
        ({ Ajv2020 }) =>
          Effect.try({
            try: () => {
              const validator = compile(Ajv2020, inputSchema)
              validators.set(tool, validator)
              return validator
            },
            catch: (error) =>
              new InvalidToolError({
                integration,
                tool: tool.name,
                fault: `its input schema does not compile: ${quote(error instanceof Error ? error.message : "unknown", 300)}`,
              }),
          }),
      )
    : Effect.succeed(known)
}

/** The validator of a tool if it was compiled before. */
export const knownValidator = (tool: ToolDef): ArgumentValidator | undefined => validators.get(tool)

const validators = new WeakMap<ToolDef, ArgumentValidator>()

const compile = (Ajv2020: typeof import("./ajv2020.ts").Ajv2020, inputSchema: JsonSchema): ArgumentValidator =>
  guardedCheck(
    inputSchema,
    (schema) => {
      // An instance of its own per tool: Ajv keeps every schema it has seen, and one tool's $id must not meet another's.
      const validate: ValidateFunction = new Ajv2020({
        allErrors: true,
        strict: false,
        // An argument may be called `constructor`, and is not there because every object has one.
        ownProperties: true,
        validateFormats: false,
        validateSchema: false,
        logger: false,
      }).compile(schema)
      return (args) => {
        if (!isPlainObject(args)) return notAnObject
        return validate(args) ? accepted : (validate.errors ?? []).slice(0, mostIssues).map(toIssue)
      }
    },
    notCheckable,
  )

const mostIssues = 10
const accepted: ReadonlyArray<ArgumentIssue> = []
const notAnObject: ReadonlyArray<ArgumentIssue> = [{ path: "", expected: "must be an object" }]
const notCheckable: ReadonlyArray<ArgumentIssue> = [
  { path: "", expected: "cannot be checked by the tool's schema in time; try other or shorter values" },
]

const isPlainObject = (args: unknown): boolean => typeof args === "object" && args !== null && !Array.isArray(args)

const toIssue = (error: ErrorObject): ArgumentIssue => {
  const parameters = error.params as Record<string, unknown>
  switch (error.keyword) {
    case "required":
      return { path: `${error.instancePath}/${pointerPart(parameters["missingProperty"])}`, expected: "is required" }
    case "additionalProperties":
    case "unevaluatedProperties": {
      const name = parameters["additionalProperty"] ?? parameters["unevaluatedProperty"]
      return { path: `${error.instancePath}/${pointerPart(name)}`, expected: "is not a known property" }
    }
    case "enum":
      return { path: error.instancePath, expected: `must be one of ${listed(parameters["allowedValues"])}` }
    case "const":
      return { path: error.instancePath, expected: `must be ${JSON.stringify(parameters["allowedValue"])}` }
    default:
      return { path: error.instancePath, expected: error.message ?? `must satisfy ${error.keyword}` }
  }
}

const pointerPart = (name: unknown): string => String(name).replaceAll("~", "~0").replaceAll("/", "~1")

const listed = (values: unknown): string => {
  const shown = Array.isArray(values) ? values.slice(0, 20).map((value) => JSON.stringify(value)) : []
  return shown.join(", ") + (Array.isArray(values) && values.length > shown.length ? ", …" : "")
}
