/**
 * An integration of one's own: a plugin that speaks to a small notes service.
 *
 * All that a plugin's author writes is in this file. It never handles a secret: `send` and `fetch` are authorized for the
 * connection of the call, and a path is enough because it is appended to the integration's base URL.
 */
import { definePlugin, type SentResponse, type ToolDef, type ToolResult } from "@keyward/core"

/** What `executor.notes.add` takes. */
export interface AddNotesInput {
  readonly slug: string
  /** Where the service is, such as `https://notes.example.com`. */
  readonly baseUrl: string
}

const text = { type: "string", minLength: 1 } as const

/** Becomes a segment of a path: the pattern leaves no way to `..`, which encoding alone does not take care of. */
const id = { type: "string", pattern: "^[A-Za-z0-9-]+$" } as const

const tools: ReadonlyArray<ToolDef> = [
  { name: "list", description: "Lists the notes of the account.", annotations: { readOnlyHint: true } },
  {
    name: "add",
    description: "Adds a note.",
    inputSchema: { type: "object", properties: { text }, required: ["text"], additionalProperties: false },
    annotations: { readOnlyHint: false, destructiveHint: false },
  },
  {
    name: "publish",
    description: "Publishes a note; asks for the audience.",
    inputSchema: { type: "object", properties: { id }, required: ["id"], additionalProperties: false },
    annotations: { readOnlyHint: false, destructiveHint: false },
  },
  {
    name: "delete",
    description: "Deletes a note for good.",
    inputSchema: { type: "object", properties: { id }, required: ["id"], additionalProperties: false },
    annotations: { destructiveHint: true },
    requiresApproval: true,
  },
]

const audience = {
  type: "object",
  properties: { audience: { type: "string", enum: ["team", "everybody"] } },
  required: ["audience"],
}

/** Adds `executor.notes`. */
export const notesPlugin = () =>
  definePlugin({
    id: "notes",
    catalog: "integration",
    extension: (ctx) => ({
      /** Registers a notes service, or updates it in place. */
      add: ({ slug, baseUrl }: AddNotesInput) =>
        ctx.integrations.register({ slug, baseUrl, authTemplates: [{ slug: "bearer", type: "bearer" }] }),
    }),
    resolveTools: () => tools,
    invokeTool: async ({ tool, args, send, elicit }) => {
      const note = `/notes/${encodeURIComponent(String(args["id"]))}`
      switch (tool.name) {
        case "list":
          return result(await send({ url: "/notes" }))
        case "add":
          return result(await send({ method: "POST", url: "/notes", ...json({ text: args["text"] }) }))
        case "publish": {
          const answer = await elicit({ kind: "form", message: "Who may read the note?", schema: audience })
          if (answer.action !== "accept") return failure("cancelled", "Nobody said who may read the note.")
          return result(await send({ method: "PUT", url: `${note}/audience`, ...json(answer.content) }))
        }
        case "delete":
          return result(await send({ method: "DELETE", url: note }))
        default:
          return failure("unknown_tool", `There is no tool ${tool.name}.`)
      }
    },
  })

const json = (value: unknown) => ({
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
})

/** What a model reads: data, or an error with the status. A 401 needs no special case, core knows what it means. */
const result = async (response: SentResponse): Promise<ToolResult> => {
  const { status } = response
  const answer = await response.text()
  if (status >= 400) return failure("http_error", `The notes service answered ${status}: ${answer}`, status)
  return { ok: true, data: answer === "" ? null : (JSON.parse(answer) as unknown) }
}

const failure = (code: string, message: string, status?: number): ToolResult => ({
  ok: false,
  error: { code, message, retryable: status === 503, ...(status === undefined ? {} : { status }) },
})
