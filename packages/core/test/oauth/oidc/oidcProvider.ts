/**
 * Starts the certified oidc-provider in a process of its own, so that a test meets a real authorization server, and a test that kills or
 * blocks its own process does not take the server along.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { approveDevice, authorize } from "./browser.ts"
import type { OidcEvent, OidcMessage, OidcOptions } from "./OidcOptions.ts"

/** A running provider. */
export interface OidcProvider extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly issuer: string
  /** `127.0.0.1:<port>`, as `egress.allowHosts` takes it. */
  readonly host: string
  /** Answers 200 to whoever brings an access token, 401 to others. */
  readonly resourceUrl: string
  /** Signs in as `alice`, consents or denies, and gives the callback's URL. */
  authorize(url: string, answer?: { readonly isDenied?: boolean }): Promise<string>
  /** Signs in as `alice` and approves a device by its `verification_uri_complete`, or denies it. */
  approveDevice(verificationUriComplete: string, answer?: { readonly isDenied?: boolean }): Promise<void>
  /** What has happened so far, complete for every answer that a client has seen. */
  events(): Promise<ReadonlyArray<OidcEvent>>
  /** How many token requests of a grant type succeeded or failed. */
  tokenRequests(grantType: string): Promise<{ readonly succeeded: number; readonly failed: number }>
  close(): Promise<void>
}

/** Starts a provider on a free port of 127.0.0.1. */
export const oidcProvider = async (options: OidcOptions = {}): Promise<OidcProvider> => {
  const child = fork(join(import.meta.dirname, "providerProcess.ts"), [JSON.stringify(options)], {
    // It warns about everything that is meant for development, which is what it is used for here.
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: { ...process.env, NODE_OPTIONS: "" },
    execArgv: [],
  })
  const complaints: Array<Buffer> = []
  child.stderr?.on("data", (piece: Buffer) => complaints.push(piece))
  const events: Array<OidcEvent> = []
  const flushed = new Map<number, () => void>()
  const issuer = await new Promise<string>((resolve, reject) => {
    child.once("error", reject)
    child.once("exit", (code) =>
      reject(new Error(`The provider ended with ${code}: ${Buffer.concat(complaints).toString()}`)),
    )
    child.on("message", (message: OidcMessage) => {
      if (message.type === "listening") resolve(message.issuer)
      else if (message.type === "event") events.push(message.event)
      else flushed.get(message.id)?.()
    })
  })
  let flushes = 0
  const settledEvents = async (): Promise<ReadonlyArray<OidcEvent>> => {
    const id = ++flushes
    await new Promise<void>((resolve) => {
      flushed.set(id, resolve)
      child.send(id)
    })
    flushed.delete(id)
    return events
  }
  const close = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, "exit")
    child.kill("SIGKILL")
    await ended
  }
  return {
    issuer,
    host: new URL(issuer).host,
    resourceUrl: `${issuer}/resource`,
    authorize: (url, answer) => authorize(url, answer),
    approveDevice,
    events: settledEvents,
    tokenRequests: async (grantType) => {
      const names = (await settledEvents()).filter((event) => event.grantType === grantType).map(({ name }) => name)
      return {
        succeeded: names.filter((name) => name === "grant.success").length,
        failed: names.filter((name) => name === "grant.error").length,
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}
