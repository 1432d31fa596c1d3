/** One person's account at a service, as several processes use it: the same plugin, names and settings in each. */
import { definePlugin } from "@keyward/core"
import type { ConnectionRow } from "@keyward/core/effect"

/** A plugin with one tool, which asks the server's resource. */
export const resourcePlugin = definePlugin({
  id: "acme",
  catalog: "integration",
  extension: (context) => ({
    add: (input: Parameters<typeof context.integrations.register>[0]) => context.integrations.register(input),
  }),
  resolveTools: () => [{ name: "whoami", annotations: { readOnlyHint: true } }],
  invokeTool: async ({ fetch, integration }) => {
    const response = await fetch(integration.config as string)
    return { ok: response.ok as true, data: await response.text(), http: { status: response.status, headers: {} } }
  },
})

export const accountRef = { owner: "user", integration: "files", name: "main" } as const

export const accountTool = "tools.files.user.main.whoami"

/** What every process passes to `createExecutor`, besides the store and the provider. */
export const accountConfig = (host: string) => ({
  subject: "alice",
  plugins: [resourcePlugin] as const,
  redirectUri: "http://127.0.0.1:4319/oauth/callback",
  egress: { allowHosts: [host] },
})

/** A row that processes compare and set. */
export const accountRow: ConnectionRow = {
  ...accountRef,
  tenant: "default",
  subject: "alice",
  incarnation: "incarnation",
  template: "oauth",
  provider: "encrypted-file",
  origin: "minted",
  items: [],
  confirmedOrigins: "",
  identityLabel: null,
  description: null,
  expiresAt: null,
  oauthClient: null,
  oauthClientOwner: null,
  oauthScope: null,
  grant: null,
  status: "active",
  statusReason: null,
  version: 1,
}
