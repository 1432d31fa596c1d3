/** An authorization server in a process of its own, as the run sees it: where it is, a person who visits it, and what it has seen. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

/** A running server. */
export interface ServerProcess<Report> extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string
  /** Visits an authorization URL as somebody new who consents, and gives the callback's URL. */
  visit(authorizationUrl: string): Promise<string>
  report(): Promise<Report>
}

/** What the process says; it is asked for a report by the report's id. */
export type ServerMessage<Report> =
  | { readonly type: "listening"; readonly port: number }
  | { readonly type: "report"; readonly id: number; readonly report: Report }

/** Starts a program that listens on the loopback; it is told the options as JSON. */
export const startServerProcess = async <Report>(program: URL, options: object): Promise<ServerProcess<Report>> => {
  const child = fork(fileURLToPath(program), [JSON.stringify(options)], {
    // oidc-provider warns about everything that is meant for development.
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    execArgv: ["--conditions=@keyward/source", "--disable-warning=ExperimentalWarning"],
  })
  const reports = new Map<number, (report: Report) => void>()
  const port = await new Promise<number>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`The authorization server ended with ${code}.`)))
    child.on("message", (message: ServerMessage<Report>) => {
      if (message.type === "listening") resolve(message.port)
      else reports.get(message.id)?.(message.report)
    })
  })
  const origin = `http://127.0.0.1:${port}`
  let asked = 0
  return {
    origin,
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
