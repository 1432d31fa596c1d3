/**
 * The stage of the tests about agents, grants and shares: an upstream that tells which credential arrived, tools that read,
 * write and do not say, and accounts whose credentials tell whose they are.
 */
import { type ConnectionRef, type Executor, type ExecutorConfig, memoryStore, type ToolResult } from "@keyward/core"
import { type AcmePlugin, acmePlugin, received, setStage, type Stage, toJson } from "../acme.ts"

/** What each tool says about itself. */
const annotations = {
  "issues.list": { readOnlyHint: true },
  "issues.create": { readOnlyHint: false, destructiveHint: false },
  "issues.delete": { destructiveHint: true },
  "users.list": { readOnlyHint: true },
  unknown: undefined,
}

/** The names of the tools, in the order of the catalog. */
export const toolNames = Object.keys(annotations) as ReadonlyArray<keyof typeof annotations>

/** A plugin whose every tool answers with the authorization that arrived. */
const issuesPlugin = (): AcmePlugin =>
  acmePlugin(
    {},
    {
      resolveTools: () =>
        Object.entries(annotations).map(([name, hints]) => ({
          name,
          ...(hints === undefined ? {} : { annotations: hints }),
        })),
      invokeTool: ({ fetch }) => fetch("/").then(toJson),
    },
  )

/** An executor of the organisation; `as` gives those of its users. */
export interface AgentStage extends Stage {
  readonly as: (subject: string | null, tenant?: string) => Executor<readonly [AcmePlugin]>
  /** Creates an account whose credential is {@link secretOf} it. */
  readonly connect: (subject: string | null, name: string, integration?: string) => Promise<ConnectionRef>
}

export const setAgentStage = async (config: Omit<ExecutorConfig, "plugins"> = {}): Promise<AgentStage> => {
  const stage = await setStage({
    plugin: issuesPlugin(),
    // Backwards, because what echoes a credential is redacted.
    upstream: (request) => ({ json: { whose: backwards(received(request).authorization ?? "") } }),
    config: { tenant: "acme", store: memoryStore(), onElicitation: "accept-all", ...config },
  })
  const as = (subject: string | null, tenant?: string) =>
    stage.executor.withIdentity({ subject, ...(tenant === undefined ? {} : { tenant }) })
  const connect = async (subject: string | null, name: string, integration = "api"): Promise<ConnectionRef> => {
    const ref = { owner: subject === null ? "org" : "user", integration, name } as const
    await as(subject).connections.create({ ...ref, template: "bearer", value: secretOf(subject, name) })
    return ref
  }
  return { ...stage, as, connect }
}

/** The credential of an account of the stage. */
export const secretOf = (subject: string | null, name: string): string => `${subject ?? "org"}-${name}`

/** Whose credential arrived, from a result that must be one. */
export const arrived = (result: ToolResult): string => {
  if (!result.ok) throw new Error(`expected data, got ${JSON.stringify(result.error)}`)
  return backwards((result.data as { readonly whose: string }).whose).replace("Bearer ", "")
}

const backwards = (text: string): string => text.split("").reverse().join("")
