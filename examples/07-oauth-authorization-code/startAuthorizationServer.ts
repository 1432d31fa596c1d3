/** Starts `authorizationServer.mjs` and listens to what it says. */
import { fork } from "node:child_process"
import { once } from "node:events"

/** The running server. */
export interface AuthorizationServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, which is its issuer too. */
  readonly origin: string
  /** `127.0.0.1:<port>`. */
  readonly host: string
  /** The grant types of the token requests that succeeded, and why others did not. */
  readonly tokenRequests: ReadonlyArray<string>
}

type Message = { readonly origin: string } | { readonly granted: string } | { readonly rejected: string }

/** Starts the server; `clients` are the applications that it knows, as RFC 7591 names their parts. */
export const startAuthorizationServer = async (clients: ReadonlyArray<object>): Promise<AuthorizationServer> => {
  // Its warnings are about settings for production, which an example does not have.
  const child = fork(new URL("./authorizationServer.mjs", import.meta.url), [JSON.stringify(clients)], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    execArgv: [],
  })
  const tokenRequests: Array<string> = []
  const origin = await new Promise<string>((resolve, reject) => {
    child.on("message", (message: Message) => {
      if ("origin" in message) resolve(message.origin)
      else tokenRequests.push("granted" in message ? message.granted : message.rejected)
    })
    child.once("exit", (code) => reject(new Error(`The authorization server ended with ${code}.`)))
  })
  return {
    origin,
    host: new URL(origin).host,
    tokenRequests,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null) return
      child.kill()
      await once(child, "exit")
    },
  }
}
