/**
 * The plugin: `executor.mcp.addServer` registers a server as an integration, whose tools are listed and called through the official client.
 *
 * Tools are those of a connection, because a server may show different ones to different accounts.
 */
import {
  type AuthTemplate,
  definePlugin,
  type IdentityMode,
  type Integration,
  type IntegrationRecord,
  InvalidIntegrationInputError,
  type Plugin,
  type PluginContext,
} from "@keyward/core"
import type { LinkSettings } from "./link/connectLink.ts"
import { McpCalls } from "./McpCalls.ts"
import { configOf, makeConfig, type McpConfig } from "./server/McpConfig.ts"
import { McpServerError } from "./server/McpServerError.ts"
import { type McpServerProbe, probeServer, type ProbeServerInput } from "./server/probeServer.ts"

interface ServerNames {
  /** Default: what the server calls itself, else the slug. */
  readonly name?: string | undefined
  readonly description?: string | undefined
  /** How connections authenticate. Default over HTTP: what the server asks for. Default for a command: nothing. */
  readonly authTemplates?: ReadonlyArray<AuthTemplate> | undefined
  /** Whose account calls run as. Default: as it was before, `"either"` at first. */
  readonly identityMode?: IdentityMode | undefined
}

/** What `addServer` takes: a server behind a URL, or a local command. */
export type AddServerInput = ServerNames & {
  /** The integration's slug, part of every address. Adding it again updates it in place; connections stay. */
  readonly slug: string
} & (
    | { readonly transport: "http"; readonly url: string }
    | {
        readonly transport: "stdio"
        /** A program, by name or path; there is no shell. */
        readonly command: string
        readonly args?: ReadonlyArray<string> | undefined
        /** Variables for every connection. Secrets belong into a connection, placed by an auth template's `env`. */
        readonly env?: Readonly<Record<string, string>> | undefined
        readonly cwd?: string | undefined
      }
  )

/** What `updateServer` changes; what is left out stays. */
export interface UpdateServerInput extends ServerNames {
  readonly url?: string | undefined
  readonly command?: string | undefined
  readonly args?: ReadonlyArray<string> | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly cwd?: string | undefined
}

/** `executor.mcp`. */
export interface McpExtension {
  /**
   * Registers a server as an integration. A server behind a URL is probed for how it wants to be authorized unless `authTemplates` say so.
   *
   * Rejects with `InvalidIntegrationInputError` for a field that cannot be used, with `McpServerError` when a probed URL is no MCP
   * server. Nothing is stored then. No command is started before there is a connection.
   */
  readonly addServer: (input: AddServerInput) => Promise<Integration>
  /** Changes a server. One that moves to another origin suspends its connections until each is enabled again. */
  readonly updateServer: (slug: string, input: UpdateServerInput) => Promise<Integration>
  /** Removes a server that has no connections any more. */
  readonly removeServer: (slug: string) => Promise<void>
  /** Looks at a URL: which revision is spoken there, and how connections would authenticate. Stores nothing. */
  readonly probe: (input: ProbeServerInput) => Promise<McpServerProbe>
}

/** Limits of the plugin; every one has a default. */
export interface McpPluginOptions {
  /** What servers are told about who calls. Default: `keyward`. */
  readonly clientInfo?: { readonly name: string; readonly version: string } | undefined
  /** Sessions and processes that are kept at a time. Default 100. */
  readonly maxSessions?: number | undefined
  /** Milliseconds without a call after which a session is ended. Default 5 minutes. */
  readonly idleMs?: number | undefined
  /** Milliseconds for connecting to a server. Default 20 000. */
  readonly connectTimeoutMs?: number | undefined
  /** Milliseconds after which tools are listed again, in the background. Default 15 minutes. */
  readonly toolsMaxAgeMs?: number | undefined
  /** Pages of tools that a server may have. Default 64. */
  readonly maxToolPages?: number | undefined
  /** Tools that a server may have. Default 10 000. */
  readonly maxTools?: number | undefined
  /** The largest message of a local command, in bytes. Default 10 MB. */
  readonly maxMessageBytes?: number | undefined
  /** How often a local command may end within a minute before it is left alone for a minute. Default 5. */
  readonly maxRestarts?: number | undefined
}

/**
 * Makes the MCP plugin.
 *
 * @example
 * ```ts
 * import { createExecutor } from "@keyward/core"
 * import { mcpPlugin } from "@keyward/plugin-mcp"
 *
 * const executor = await createExecutor({ plugins: [mcpPlugin()] })
 * await executor.mcp.addServer({ slug: "wiki", transport: "http", url: "https://mcp.example.com/mcp" })
 * ```
 */
export const mcpPlugin = (options: McpPluginOptions = {}): Plugin<"mcp", McpExtension> => {
  const settings: LinkSettings = {
    clientInfo: options.clientInfo ?? { name: "keyward", version: "1" },
    connectTimeoutMs: options.connectTimeoutMs ?? 20_000,
    mostToolPages: options.maxToolPages ?? 64,
    mostTools: options.maxTools ?? 10_000,
    maxMessageBytes: options.maxMessageBytes ?? 10 * 1024 * 1024,
  }
  const calls = new McpCalls(settings, {
    mostLinks: options.maxSessions ?? 100,
    idleMs: options.idleMs ?? 5 * 60_000,
    mostRestarts: options.maxRestarts ?? 5,
  })
  return definePlugin({
    id: "mcp",
    version: "1",
    catalog: "connection",
    catalogMaxAgeMs: options.toolsMaxAgeMs ?? 15 * 60_000,
    extension: (context) => makeExtension(context, settings),
    resolveTools: (input) => calls.listTools(input),
    invokeTool: (input) => calls.callTool(input),
    release: (input) => calls.release(input),
    close: ({ executor }) => calls.close(executor),
  })
}

const makeExtension = (context: PluginContext, settings: LinkSettings): McpExtension => {
  const probe = (input: ProbeServerInput): Promise<McpServerProbe> => probeServer(context, settings, input)
  const register = async (slug: string, config: McpConfig, names: ServerNames): Promise<Integration> => {
    const isProbed = config.transport === "http" && names.authTemplates === undefined
    const found = isProbed ? await probe({ url: config.url }) : undefined
    return context.integrations.register({
      slug,
      name: names.name ?? found?.server?.name ?? slug,
      description: names.description,
      authTemplates: names.authTemplates ?? found?.authTemplates ?? [],
      identityMode: names.identityMode,
      config,
      ...(config.transport === "http" ? { baseUrl: config.url, origins: [new URL(config.url).origin] } : {}),
    })
  }
  return {
    addServer: async (input) => register(input.slug, makeConfig(input), input),
    updateServer: async (slug, input) => {
      const record = await serverOf(context, slug)
      const before = configOf(record)
      const { name, description, authTemplates, identityMode, ...changed } = input
      const config = makeConfig({ ...withoutNull(before), ...onlyGiven(changed) })
      const isMoved = config.transport === "http" && before.transport === "http" && config.url !== before.url
      return register(slug, config, {
        name: name ?? record.name,
        description: description ?? record.description ?? undefined,
        // Templates that were derived from the old place say nothing about the new one.
        authTemplates: authTemplates ?? (isMoved ? undefined : record.authTemplates),
        identityMode,
      })
    },
    removeServer: async (slug) => {
      await serverOf(context, slug)
      await context.integrations.remove(slug)
    },
    probe,
  }
}

const serverOf = async (context: PluginContext, slug: string): Promise<IntegrationRecord> => {
  const record = await context.integrations.get(slug)
  if (record === null) {
    const nextStep = "Add it with mcp.addServer first."
    throw new McpServerError({ server: slug, reason: "not_found", nextStep })
  }
  if (record.plugin !== "mcp") {
    throw new InvalidIntegrationInputError({ field: "slug", fault: "names an integration of another plugin." })
  }
  return record
}

/** Hosts may pass what they were not given themselves; it changes nothing. */
const onlyGiven = <A extends object>(input: A): Partial<A> =>
  Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as Partial<A>

const withoutNull = (config: McpConfig) => {
  if (config.transport === "http") return config
  const { cwd, ...rest } = config
  return cwd === null ? rest : { ...rest, cwd }
}
