/** The authorization server as the run sees it: where it is, a person who visits it, and what it has seen. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type {
  AuthorizationServerMessage,
  AuthorizationServerOptions,
  AuthorizationServerReport,
} from "./AuthorizationServerMessages.ts"

/** A running server. */
export interface AuthorizationServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string
  readonly authorizationUrl: string
  readonly tokenUrl: string
  /** Visits an authorization URL as somebody new who consents, and gives the callback's URL. */
  visit(authorizationUrl: string): Promise<string>
  report(): Promise<AuthorizationServerReport>
}

/** Starts the process of the rotation that is asked for. */
export const startAuthorizationServer = async (options: AuthorizationServerOptions): Promise<AuthorizationServer> => {
  const child = fork(
    fileURLToPath(new URL(`${options.rotation}ServerProcess.ts`, import.meta.url)),
    [JSON.stringify(options)],
    {
      // oidc-provider warns about everything that is meant for development.
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      execArgv: ["--conditions=@keyward/source", "--disable-warning=ExperimentalWarning"],
    },
  )
  const reports = new Map<number, (report: AuthorizationServerReport) => void>()
  const port = await new Promise<number>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`The authorization server ended with ${code}.`)))
    child.on("message", (message: AuthorizationServerMessage) => {
      if (message.type === "listening") resolve(message.port)
      else reports.get(message.id)?.(message.report)
    })
  })
  const origin = `http://127.0.0.1:${port}`
  const [authorizationPath, tokenPath] = options.rotation === "strict" ? ["/auth", "/token"] : ["/authorize", "/token"]
  let asked = 0
  return {
    origin,
    authorizationUrl: `${origin}${authorizationPath}`,
    tokenUrl: `${origin}${tokenPath}`,
    visit: (authorizationUrl) => visit(origin, authorizationUrl),
    report: () =>
      new Promise((resolve) => {
        const id = ++asked
        reports.set(id, resolve)
        child.send(id)
      }),
    [Symbol.asyncDispose]: async () => {
      const ended = once(child, "exit")
      child.kill("SIGKILL")
      await ended
    },
  }
}

const visit = async (origin: string, authorizationUrl: string): Promise<string> => {
  const cookies = new Map<string, string>()
  let url = new URL(authorizationUrl)
  for (let hop = 0; hop < 10; hop += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ")
    const response = await fetch(url, { redirect: "manual", headers: { cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    const location = response.headers.get("location")
    if (location === null) throw new Error(`${url.pathname} answered ${response.status}: ${await response.text()}`)
    url = new URL(location, url)
    if (url.origin !== origin) return url.href
  }
  throw new Error("The authorization server redirects for ever.")
}
