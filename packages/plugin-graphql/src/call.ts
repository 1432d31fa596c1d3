/**
 * One call of a tool: the operation, its variables, the request, the result.
 */
import type { InvokeToolInput, ToolResult } from "@keyward/core"
import type { Catalogue, CompiledField } from "./catalogue/Catalogue.ts"
import { rawToolName } from "./catalogue/rootFields.ts"
import { isJsonObject, type JsonObject } from "./Json.ts"
import { withSelection } from "./operation/fieldOperation.ts"
import { InvalidDocumentError } from "./operation/InvalidDocumentError.ts"
import { rawQuery, type RefusedOperation } from "./operation/rawQuery.ts"
import { requestHeaders } from "./operation/requestHeaders.ts"
import { readResponse } from "./response/response.ts"

/** Calls a tool of a catalogue. */
export const callTool = (catalogue: Catalogue, input: InvokeToolInput): ToolResult | Promise<ToolResult> => {
  if (input.tool.name === rawToolName) return callRaw(catalogue, input)
  const operation = catalogue.operation(input.tool.name)
  if (operation === undefined) {
    return failure("tool_unavailable", "The schema no longer has this field. List the tools again.")
  }
  return callField(catalogue, operation, input)
}

interface GraphQLRequest {
  readonly query: string
  readonly variables: JsonObject
  readonly operationName?: string | undefined
}

const callField = (
  catalogue: Catalogue,
  operation: CompiledField,
  input: InvokeToolInput,
): ToolResult | Promise<ToolResult> => {
  const { args } = input
  const { schema } = catalogue
  const select = args[operation.selectionName]
  let query = operation.document
  if (operation.selection !== undefined && typeof select === "string" && schema !== undefined) {
    try {
      query = withSelection(schema, operation, select)
    } catch (thrown) {
      return invalid(thrown, `/${operation.selectionName}`)
    }
  }
  const given = operation.field.args.flatMap(({ name }) =>
    Object.hasOwn(args, name) && args[name] !== undefined ? [[name, args[name]] as const] : [],
  )
  return post(
    catalogue,
    input,
    { query, variables: Object.fromEntries(given), operationName: operation.field.name },
    { field: operation.field.name, isMutation: operation.kind === "mutation" },
  )
}

const callRaw = (catalogue: Catalogue, input: InvokeToolInput): ToolResult | Promise<ToolResult> => {
  const { query, variables, operationName } = input.args
  const name = typeof operationName === "string" ? operationName : undefined
  let checked
  try {
    checked = rawQuery(catalogue.schema, typeof query === "string" ? query : "", name)
  } catch (thrown) {
    return invalid(thrown, "/query")
  }
  if ("refused" in checked) return refusal(checked.refused, checked.fields)
  return post(
    catalogue,
    input,
    {
      query: checked.document,
      variables: isJsonObject(variables) ? variables : {},
      ...(name === undefined ? {} : { operationName: name }),
    },
    { field: undefined, isMutation: false },
  )
}

const post = async (
  { endpoint }: Catalogue,
  { send, connection }: InvokeToolInput,
  request: GraphQLRequest,
  about: { readonly field: string | undefined; readonly isMutation: boolean },
): Promise<ToolResult> => {
  const response = await send({ method: "POST", url: endpoint, headers: requestHeaders, body: JSON.stringify(request) })
  return await readResponse(response, { connection: connection.address, ...about })
}

const failure = (code: string, message: string, details?: unknown): ToolResult => ({
  ok: false,
  error: { code, message, retryable: false, ...(details === undefined ? {} : { details }) },
})

/** In the shape in which core reports arguments that do not fit the schema. */
const invalid = (thrown: unknown, path: string): ToolResult => {
  if (!(thrown instanceof InvalidDocumentError)) throw thrown
  const problem = thrown.message
  const message = `The argument ${path} ${problem.replace(/[.?]$/, "")}. Nothing was sent; correct it and call again.`
  return failure("invalid_arguments", message, { issues: [{ path, expected: problem }] })
}

const refusal = (kind: RefusedOperation, fields: ReadonlyArray<string>): ToolResult =>
  kind === "mutation"
    ? failure(
        "mutation_refused",
        `This tool only reads. Call the tool of the mutation instead (${fields.map((field) => `mutation.${field}`).join(", ") || "mutation.…"}); what it gives back can be chosen there. Nothing was sent.`,
      )
    : failure(
        "subscription_refused",
        "A subscription gives a stream of answers, and a tool call has one. Query the data instead, again where it changes. Nothing was sent.",
      )
