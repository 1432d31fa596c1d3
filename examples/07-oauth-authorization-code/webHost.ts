/**
 * The host: a web application that acts for its users at the tracker. What matters is in `connect` and `callback`.
 *
 * Both act as the user of the browser's own session, and of nothing that the request says about itself.
 */
import { randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { type Executor, OAuthCompleteError, OAuthSessionNotFoundError } from "@keyward/core"

/** The running host. */
export interface WebHost extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string
  /** What the routes use; set once it is there. */
  executor: { withIdentity(identity: { readonly subject: string }): UserExecutor } | undefined
}

type UserExecutor = Pick<Executor, "oauth">

/** What everybody connects; whose it is, the session says. */
export const trackerConnection = { owner: "user", integration: "tracker", name: "main" } as const

/** Starts the host. */
export const startWebHost = async (): Promise<WebHost> => {
  const sessions = new Map<string, string>()
  const server = createServer((request, response) => {
    route(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo

  const route = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", host.origin)
    if (url.pathname === "/login") return login(url, response)
    const user = sessions.get(/session=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1] ?? "")
    if (user === undefined) return void response.writeHead(401).end("Log in first.")
    const executor = host.executor?.withIdentity({ subject: user })
    if (executor === undefined) return void response.writeHead(503).end()
    if (url.pathname === "/connect") return connect(executor, response)
    if (url.pathname === "/oauth/callback") return callback(executor, url, response)
    return void response.writeHead(404).end()
  }

  /** Stands for however the application knows its users. */
  const login = (url: URL, response: ServerResponse): void => {
    const session = randomUUID()
    sessions.set(session, url.searchParams.get("user") ?? "")
    response.writeHead(200, { "set-cookie": `session=${session}; HttpOnly; SameSite=Lax` }).end("Welcome.")
  }

  const connect = async (executor: UserExecutor, response: ServerResponse): Promise<void> => {
    const started = await executor.oauth.start({
      ...trackerConnection,
      client: "tracker",
      clientOwner: "org",
      template: "oauth",
      identityLabel: "Ada at the tracker",
    })
    if (started.status !== "redirect") throw new Error("An authorization_code client redirects.")
    response.writeHead(302, { location: started.authorizationUrl }).end()
  }

  const callback = async (executor: UserExecutor, url: URL, response: ServerResponse): Promise<void> => {
    try {
      const connection = await executor.oauth.complete({ callbackUrl: url.href })
      response.writeHead(200).end(`Connected: ${connection.address}`)
    } catch (error) {
      if (!(error instanceof OAuthCompleteError || error instanceof OAuthSessionNotFoundError)) throw error
      response.writeHead(error.httpStatus).end(error.message)
    }
  }

  const host: WebHost = {
    origin: `http://127.0.0.1:${port}`,
    executor: undefined,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return host
}
