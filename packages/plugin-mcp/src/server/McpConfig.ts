/**
 * What is stored of a server: where it is, or how it is started. Plain JSON without a secret.
 */
import { type IntegrationRecord, InvalidIntegrationInputError } from "@keyward/core"

/** A server behind a URL. */
interface HttpServer {
  readonly transport: "http"
  readonly url: string
}

/** A server that is a local command. */
export interface StdioServer {
  readonly transport: "stdio"
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** Variables besides the safe ones. Not for secrets, which come from the connection. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string | null
}

/** See the file's header. */
export type McpConfig = HttpServer | StdioServer

/** What a host says about a server. */
export interface ServerInput {
  readonly transport: "http" | "stdio"
  readonly url?: string | undefined
  readonly command?: string | undefined
  readonly args?: ReadonlyArray<string> | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly cwd?: string | undefined
}

/** Checks what a host wrote; throws `InvalidIntegrationInputError` with the field at fault. */
export const makeConfig = (input: ServerInput): McpConfig => {
  const { transport } = input
  if (transport === "http") {
    for (const field of ["command", "args", "env", "cwd"] as const) {
      if (input[field] !== undefined) throw invalid(field, 'is for the transport "stdio".')
    }
    return { transport, url: canonicalUrl(input.url) }
  }
  if (transport !== "stdio") throw invalid("transport", 'must be "http" or "stdio".')
  if (input.url !== undefined) throw invalid("url", 'is for the transport "http".')
  const { command, args = [], env = {}, cwd } = input
  if (typeof command !== "string" || !isProcessText(command) || command.trim() === "") {
    throw invalid("command", "must be the name or path of a program. Arguments go into args; there is no shell.")
  }
  if (!Array.isArray(args) || !args.every((one) => typeof one === "string" && isProcessText(one))) {
    throw invalid("args", "must be a list of texts.")
  }
  if (typeof env !== "object" || env === null || Array.isArray(env)) throw invalid("env", "must be texts by name.")
  for (const [name, value] of Object.entries(env)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw invalid(`env.${name}`, "is not a usable name of a variable.")
    if (typeof value !== "string" || !isProcessText(value)) throw invalid(`env.${name}`, "must be text.")
  }
  if (cwd !== undefined && (typeof cwd !== "string" || !isProcessText(cwd))) throw invalid("cwd", "must be a path.")
  return { transport, command, args: [...args], env: { ...env }, cwd: cwd ?? null }
}

/** The config of a record that this plugin registered. */
export const configOf = ({ config }: Pick<IntegrationRecord, "config">): McpConfig => config as McpConfig

/**
 * A server's URL as everybody spells it: it is also the name of the resource that tokens are asked for
 * ([RFC 8707](https://www.rfc-editor.org/rfc/rfc8707)), so it has no fragment.
 */
export const canonicalUrl = (url: string | undefined): string => {
  const parsed = typeof url === "string" ? URL.parse(url) : null
  if (parsed === null || (parsed.protocol !== "https:" && parsed.protocol !== "http:")) {
    throw invalid("url", "must be the absolute http(s) URL of the server.")
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw invalid("url", "holds user information; put the credential into a connection.")
  }
  parsed.hash = ""
  // A server at the root of its host is called by its origin.
  return parsed.pathname === "/" && parsed.search === "" ? parsed.origin : parsed.href
}

const isProcessText = (text: string): boolean => !text.includes("\0") && text.isWellFormed()

const invalid = (field: string, fault: string): InvalidIntegrationInputError =>
  new InvalidIntegrationInputError({ field, fault })
