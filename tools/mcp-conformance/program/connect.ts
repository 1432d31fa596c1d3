/**
 * Connects the account that a scenario is about.
 */
import type { AuthTemplate, ConnectionRef } from "@keyward/core"
import type { Context, McpExecutor } from "./Context.ts"
import { visit } from "./visit.ts"

/** The one connection of the program. */
export const connectionRef: ConnectionRef = { owner: "user", integration: "server", name: "main" }

type OAuth2Template = Extract<AuthTemplate, { readonly type: "oauth2" }>

const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
const tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"

/** Adds the server and connects to it, openly or the way that it asks for. */
export const connect = async (executor: McpExecutor, context: Context): Promise<void> => {
  const { serverUrl, scenario } = context
  const { authTemplates } = await executor.mcp.addServer({ slug: "server", transport: "http", url: serverUrl })
  const template = authTemplates.find((one) => one.type === "oauth2")
  if (template === undefined) {
    await executor.connections.create({ ...connectionRef, template: "none" })
    return
  }
  const way = waysWithoutPerson.find(({ scenarios }) => scenario.startsWith(scenarios))
  await (way === undefined ? consent(executor, context, template) : way.connect(executor, context, template))
}

type Way = (executor: McpExecutor, context: Context, template: OAuth2Template) => Promise<void>

/** A person permits it, through an application that was entered or through whatever Keyward finds. */
const consent: Way = async (executor, context, template) => {
  if (context.client_id !== undefined) {
    await executor.oauth.createClient({ ...applicationOf(context, template), grant: "authorization_code" })
  }
  const started = await executor.oauth.connect(connectionRef)
  if (started.status !== "redirect") throw new Error(`The flow is at ${started.status}.`)
  await executor.oauth.complete({ callbackUrl: await visit(started.authorizationUrl) })
}

/** The program is its own account. */
const clientCredentials: Way = async (executor, context, template) => {
  const { private_key_pem: privateKey } = context
  await executor.oauth.createClient({ ...applicationOf(context, template), privateKey, grant: "client_credentials" })
  await executor.oauth.start(flowOf(template))
}

/** The platform that the program runs on vouches for it. */
const workloadIdentity: Way = async (executor, context, template) => {
  await executor.oauth.createClient({ ...applicationOf(context, template), grant: jwtBearer })
  await executor.oauth.start({ ...flowOf(template), assertion: context.valid_jwt })
}

/** The organisation permits it, by its identity provider. */
const enterprise: Way = async (executor, context, template) => {
  const { idp_client_id: clientId = "", idp_issuer: issuer, idp_id_token: subjectToken } = context
  await executor.oauth.createClient({ owner: "org", slug: "workforce", clientId, issuer, grant: tokenExchange })
  await executor.oauth.createClient({ ...applicationOf(context, template), grant: jwtBearer })
  await executor.oauth.start({ ...flowOf(template), identityClient: "workforce", subjectToken })
}

const waysWithoutPerson: ReadonlyArray<{ readonly scenarios: string; readonly connect: Way }> = [
  { scenarios: "auth/client-credentials", connect: clientCredentials },
  { scenarios: "auth/wif", connect: workloadIdentity },
  { scenarios: "auth/enterprise", connect: enterprise },
]

const applicationOf = (
  { client_id: clientId = "", client_secret: clientSecret }: Context,
  { issuer }: OAuth2Template,
) => ({ owner: "org", slug: "app", clientId, clientSecret, issuer }) as const

const flowOf = (template: OAuth2Template) =>
  ({ ...connectionRef, client: "app", clientOwner: "org", template: template.slug }) as const
