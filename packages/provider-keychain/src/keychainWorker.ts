/**
 * The thread that talks to the operating system's keychain, started by `KeychainThread`.
 *
 * A thread of its own because `@napi-rs/keyring` connects to the Secret Service where it is called: 6 ms each time, and
 * two seconds when the service hangs. Requests come one at a time; each is answered once.
 */
import { parentPort } from "node:worker_threads"
import type { AsyncEntry } from "@napi-rs/keyring"

/** What the thread is asked to do. `index` is the service under which the names of entries are kept. */
export type KeychainRequest =
  | { readonly kind: "get"; readonly service: string; readonly account: string }
  | {
      readonly kind: "set"
      readonly service: string
      readonly index: string
      readonly account: string
      readonly text: string
    }
  | { readonly kind: "delete"; readonly service: string; readonly index: string; readonly account: string }
  | { readonly kind: "list"; readonly service: string; readonly index: string }

/** What the thread answers: the text of `get`, the accounts of `list`, or the library's message, which is never shown. */
export type KeychainAnswer =
  | { readonly isOk: true; readonly text: string | null; readonly accounts: ReadonlyArray<string> }
  | { readonly isOk: false; readonly message: string }

const port = parentPort
const maximumEntries = 256
const entries = new Map<string, AsyncEntry>()

/** Only the Secret Service: without it the library would fall back to the kernel's keyring, which forgets at reboot. */
const onlySecretService = { linux: { store: "secret-service" } } as const

const entryOf = async (service: string, account: string): Promise<AsyncEntry> => {
  const { AsyncEntry } = await import("@napi-rs/keyring")
  const key = `${service}\0${account}`
  const known = entries.get(key)
  if (known !== undefined) return known
  if (entries.size >= maximumEntries) entries.clear()
  const entry = new AsyncEntry(service, account, onlySecretService)
  entries.set(key, entry)
  return entry
}

const answer = async (request: KeychainRequest): Promise<KeychainAnswer> => {
  const { service } = request
  switch (request.kind) {
    case "get": {
      const entry = await entryOf(service, request.account)
      return { isOk: true, text: await entry.getPassword(), accounts: [] }
    }
    case "set": {
      // The name first: a crash in between leaves a name without a secret, never a secret that no list shows.
      const name = await entryOf(request.index, request.account)
      if ((await name.getPassword()) !== service) await name.setPassword(service)
      const entry = await entryOf(service, request.account)
      await entry.setPassword(request.text)
      return { isOk: true, text: null, accounts: [] }
    }
    case "delete": {
      const entry = await entryOf(service, request.account)
      await entry.deletePassword()
      const name = await entryOf(request.index, request.account)
      await name.deletePassword()
      return { isOk: true, text: null, accounts: [] }
    }
    case "list": {
      const { findCredentialsAsync } = await import("@napi-rs/keyring")
      const names = await findCredentialsAsync(request.index)
      const own = names.filter(({ password }) => password === service)
      return { isOk: true, text: null, accounts: own.map(({ account }) => account) }
    }
  }
}

port?.on("message", (request: KeychainRequest) => {
  answer(request).then(
    (answered) => port.postMessage(answered),
    (thrown: unknown) => {
      entries.clear()
      port.postMessage({ isOk: false, message: thrown instanceof Error ? thrown.message : "" } satisfies KeychainAnswer)
    },
  )
})
