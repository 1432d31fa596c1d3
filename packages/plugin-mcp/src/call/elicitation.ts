/**
 * Questions of a server, put to the host's `onElicitation`: forms, and pages that a person is to visit.
 */
import type { JsonSchema } from "@keyward/core"
import type { ElicitRequest, ElicitResult } from "@modelcontextprotocol/client"
import type { CallScope } from "./callScope.ts"

/** A page that a person is to visit before a call can be made. */
export interface RequiredVisit {
  readonly message: string
  readonly url: string
}

/** Asks the person of a call; without one, nobody answers. */
export const answerElicitation = async (
  scope: CallScope | undefined,
  params: ElicitRequest["params"],
): Promise<ElicitResult> => {
  if (scope?.elicit === undefined) return { action: "cancel" }
  if (params.mode === "url") {
    return { action: await visit(scope, { message: params.message, url: params.url }) }
  }
  const schema = params.requestedSchema as JsonSchema
  const { action, content } = await scope.elicit({ kind: "form", message: params.message, schema })
  if (action !== "accept") return { action }
  return { action, content: { ...defaultsOf(schema), ...content } as NonNullable<ElicitResult["content"]> }
}

/** Sends a person to a page; anything but a web page is declined without asking. */
export const visit = async (
  { elicit }: CallScope,
  { message, url: given }: RequiredVisit,
): Promise<"accept" | "decline" | "cancel"> => {
  const url = webPage(given)
  if (elicit === undefined || url === undefined) return "decline"
  const { action } = await elicit({ kind: "url", message, url })
  return action
}

/** The address of a web page as browsers spell it; `undefined` for anything else, such as a script. */
export const webPage = (url: unknown): string | undefined => {
  const page = typeof url === "string" ? URL.parse(url) : null
  return page?.protocol === "https:" || page?.protocol === "http:" ? page.href : undefined
}

/** What a form holds before anybody has typed. */
const defaultsOf = ({ properties }: JsonSchema): Record<string, unknown> => {
  const values: Record<string, unknown> = {}
  for (const [name, property] of Object.entries((properties ?? {}) as Record<string, unknown>)) {
    if (typeof property === "object" && property !== null && "default" in property) values[name] = property.default
  }
  return values
}
