/** The authorization server as the run sees it: where it is, a person who visits it, and what it has seen. */
import { type ServerProcess, startServerProcess } from "../authorization-server/serverProcess.ts"
import type { AuthorizationServerOptions, AuthorizationServerReport } from "./AuthorizationServerMessages.ts"

/** A running server. */
export interface AuthorizationServer extends ServerProcess<AuthorizationServerReport> {
  readonly authorizationUrl: string
  readonly tokenUrl: string
}

/** Starts the process of the rotation that is asked for. */
export const startAuthorizationServer = async (options: AuthorizationServerOptions): Promise<AuthorizationServer> => {
  const program = new URL(`${options.rotation}ServerProcess.ts`, import.meta.url)
  const server = await startServerProcess<AuthorizationServerReport>(program, options)
  const authorizationPath = options.rotation === "strict" ? "/auth" : "/authorize"
  return {
    ...server,
    authorizationUrl: `${server.origin}${authorizationPath}`,
    tokenUrl: `${server.origin}/token`,
  }
}
