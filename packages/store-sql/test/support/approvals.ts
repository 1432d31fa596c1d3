/** An executor whose one tool asks a person and leaves a line in a file when it runs; the same in each process. */
import { appendFile } from "node:fs/promises"
import { createExecutor, definePlugin, memoryProvider } from "@keyward/core"
import { postgresStore, sqliteStore, type SqlStore } from "../../src/index.ts"

/** Which database, and where a call leaves its line. */
export type ApprovalPlace = (
  { readonly filename: string } | { readonly connectionString: string; readonly schema: string }
) & { readonly log: string }

export const deleteTool = "tools.github.org.main.delete"

const openStore = (place: ApprovalPlace): SqlStore =>
  "filename" in place
    ? sqliteStore({ filename: place.filename })
    : postgresStore({ connectionString: place.connectionString, schema: place.schema, maxConnections: 2 })

export const approvingExecutor = (place: ApprovalPlace) =>
  createExecutor({
    subject: "alice",
    plugins: [
      definePlugin({
        id: "acme",
        catalog: "integration",
        extension: (ctx) => ({ add: () => ctx.integrations.register({ slug: "github" }) }),
        resolveTools: () => [{ name: "delete", annotations: { destructiveHint: true } }],
        invokeTool: ({ args }) => appendFile(place.log, `${JSON.stringify(args)}\n`),
      }),
    ],
    providers: [memoryProvider()],
    store: openStore(place),
    onElicitation: "defer",
    approvals: { key: Buffer.alloc(32, 3).toString("base64") },
  })
