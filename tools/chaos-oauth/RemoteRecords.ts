/**
 * A store and a credential provider in another process: what workers use that are killed, and what their parent serves.
 *
 * Over the IPC channel of `fork`, which keeps the order; a write that was sent is done although the sender dies.
 */
import type { ChildProcess } from "node:child_process"
import { memoryStore, type Store } from "@keyward/core"
import type { CredentialProvider } from "@keyward/core/effect"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

/** From a worker: a method of a part of the records. */
interface Call {
  readonly type: "call"
  readonly id: number
  readonly path: string
  readonly input: ReadonlyArray<unknown>
}

/** To a worker. */
interface Answer {
  readonly type: "answer"
  readonly id: number
  readonly value: unknown
}

type Service = Readonly<Record<string, (...input: ReadonlyArray<never>) => Effect.Effect<unknown, unknown>>>

/** Serves the records to a worker, and gives back the leases that it holds when it dies. */
export const serveRecords = (child: ChildProcess, store: Store, provider: CredentialProvider): void => {
  const held = new Map<string, () => void>()
  const services: Readonly<Record<string, Service>> = {
    integrations: store.integrations as unknown as Service,
    accounts: store.accounts as unknown as Service,
    connections: store.connections as unknown as Service,
    catalogs: store.catalogs as unknown as Service,
    access: store.access as unknown as Service,
    policies: store.policies as unknown as Service,
    approvals: store.approvals as unknown as Service,
    clients: store.oauth.clients as unknown as Service,
    sessions: store.oauth.sessions as unknown as Service,
    revocations: store.oauth.revocations as unknown as Service,
    provider: {
      get: (id: string) =>
        Effect.map(provider.get(id), (value) => (value === undefined ? undefined : Redacted.value(value))),
      set: (id: string, value: string) => provider.set?.(id, Redacted.make(value)) ?? Effect.void,
    },
    lease: {
      take: (key: string, id: string) =>
        Effect.promise(
          () =>
            new Promise<void>((resolve) => {
              const until = new Promise<void>((release) => held.set(id, release))
              const holding = store.lease.hold(key, () => Effect.promise(() => (resolve(), until)))
              void Effect.runPromise(holding)
            }),
        ),
      give: (id: string) => Effect.sync(() => held.get(id)?.()),
    },
  }
  child.on("message", (message: { readonly type: string }) => {
    if (message.type !== "call") return
    const { id, path, input } = message as Call
    const [service = "", method = ""] = path.split(".")
    const call = services[service]?.[method]
    if (call === undefined) throw new Error(`There is no ${path}.`)
    void Effect.runPromise(call(...(input as ReadonlyArray<never>))).then((value) => {
      if (child.connected) child.send({ type: "answer", id, value } satisfies Answer)
    })
  })
  child.once("exit", () => {
    for (const release of held.values()) release()
  })
}

/** The records of the parent of this process. */
export const remoteRecords = (): { readonly store: Store; readonly provider: CredentialProvider } => {
  const waiting = new Map<number, (value: unknown) => void>()
  let calls = 0
  process.on("message", (message: Answer) => {
    if (message.type !== "answer") return
    waiting.get(message.id)?.(message.value)
    waiting.delete(message.id)
  })
  const ask = (path: string, input: ReadonlyArray<unknown>): Effect.Effect<unknown> =>
    Effect.promise(
      () =>
        new Promise((resolve) => {
          const id = ++calls
          waiting.set(id, resolve)
          process.send?.({ type: "call", id, path, input } satisfies Call)
        }),
    )
  /** Every method of a part of the records, whatever it is called. */
  const service = (name: string): object =>
    new Proxy(
      {},
      {
        get:
          (_, method) =>
          (...input: ReadonlyArray<unknown>) =>
            ask(`${name}.${String(method)}`, input),
      },
    )
  let leases = 0
  return {
    store: {
      integrations: service("integrations") as Store["integrations"],
      accounts: service("accounts") as Store["accounts"],
      connections: service("connections") as Store["connections"],
      catalogs: service("catalogs") as Store["catalogs"],
      access: service("access") as Store["access"],
      policies: service("policies") as Store["policies"],
      approvals: service("approvals") as Store["approvals"],
      // What links a batch is a function, which no channel carries.
      audit: memoryStore().audit,
      oauth: {
        clients: service("clients"),
        sessions: service("sessions"),
        revocations: service("revocations"),
      } as Store["oauth"],
      lease: {
        hold: (key, use) =>
          Effect.suspend(() => {
            const id = `${process.pid} ${++leases}`
            const give = Effect.asVoid(ask("lease.give", [id]))
            return Effect.andThen(
              ask("lease.take", [key, id]),
              Effect.ensuring(use({ isHeld: Effect.succeed(true), now: Clock.currentTimeMillis }), give),
            )
          }),
      },
    },
    provider: {
      key: "memory",
      writable: true,
      get: (id) =>
        Effect.map(ask("provider.get", [id]), (value) =>
          typeof value === "string" ? Redacted.make(value) : undefined,
        ),
      set: (id, value) => Effect.asVoid(ask("provider.set", [id, Redacted.value(value)])),
      delete: () => Effect.void,
    },
  }
}
