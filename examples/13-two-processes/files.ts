/** What every process of this example has in common: the plugin, and where records and secrets are kept. */
import { join } from "node:path"
import { createExecutor, definePlugin } from "@keyward/core"
import { encryptedFileProvider } from "@keyward/provider-encrypted-file"
import { sqliteStore } from "@keyward/store-sql"

/** A service with one tool, which says whose account it is. */
const filesPlugin = definePlugin({
  id: "files",
  extension: (context) => ({
    add: (origin: string, resource: string) =>
      context.integrations.register({
        slug: "files",
        baseUrl: origin,
        authTemplates: [{ slug: "oauth", type: "oauth2", scopes: ["files:read"] }],
        config: resource,
      }),
  }),
  resolveTools: () => [{ name: "whoami", annotations: { readOnlyHint: true } }],
  invokeTool: async ({ fetch, integration }) => {
    const response = await fetch(integration.config as string)
    return { ok: response.ok as true, data: await response.text(), http: { status: response.status, headers: {} } }
  },
})

/** The connection that all processes use. */
export const main = { owner: "user", integration: "files", name: "main" } as const

export const openExecutor = (folder: string, host: string) =>
  createExecutor({
    subject: "ada",
    plugins: [filesPlugin],
    store: sqliteStore({ filename: join(folder, "keyward.db") }),
    providers: [encryptedFileProvider({ path: join(folder, "secrets.vault"), key: Buffer.alloc(32, 7) })],
    redirectUri: "http://127.0.0.1:4319/oauth/callback",
    egress: { allowHosts: [host] }, // this machine is off limits unless it is listed
  })
