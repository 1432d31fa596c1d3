/** The accounts of a run: connected through real flows, looked at all the time, and connected again when they are lost. */
import { connectionAddress } from "@keyward/core"
import type { ConnectionKey, ConnectionRow } from "@keyward/core/effect"
import type { SqlStore } from "@keyward/store-sql"
import * as Effect from "effect/Effect"
import type { AuthorizationServer } from "./AuthorizationServer.ts"
import { addressOf, refsOf, type Stage, type StormExecutor, subject, tenant } from "./Stage.ts"

/** A connection that was found expired. */
export interface LostAccount {
  readonly account: number
  readonly reason: string
}

/** See the file's header. */
export class Accounts {
  readonly lost: Array<LostAccount> = []
  /** Which account each grant of the server is of, in the order in which they were given. */
  readonly #grants: Array<number> = []
  readonly #executor: StormExecutor
  readonly #store: SqlStore
  readonly #stage: Stage
  readonly #server: AuthorizationServer

  constructor(executor: StormExecutor, store: SqlStore, stage: Stage, server: AuthorizationServer) {
    this.#executor = executor
    this.#store = store
    this.#stage = stage
    this.#server = server
  }

  /** Connects all. */
  async connectAll(): Promise<void> {
    await this.#executor.storm.add(this.#server.origin)
    await this.#executor.oauth.createClient({
      owner: "org",
      slug: "app",
      grant: "authorization_code",
      clientId: "keyward",
      clientSecret: "the secret of keyward",
      authorizationUrl: this.#server.authorizationUrl,
      tokenUrl: this.#server.tokenUrl,
    })
    for (let account = 0; account < this.#stage.accounts; account += 1) await this.#connect(account)
  }

  /** The address of the connection that a grant of the server is of. */
  connectionOf(grant: number): string {
    return connectionAddress(this.#keyOf(this.#grants[grant] ?? 0))
  }

  /** Takes down which connections are expired, and connects them again. */
  async look(): Promise<void> {
    for (let account = 0; account < this.#stage.accounts; account += 1) {
      const row = await this.#rowOf(account)
      if (row.status !== "expired") continue
      this.lost.push({ account, reason: String(row.statusReason) })
      await this.#connect(account)
    }
  }

  /** How many can be used now. */
  async usable(): Promise<number> {
    const results = await Promise.all(refsOf(this.#stage).map((ref) => this.#executor.execute(addressOf(ref), {})))
    return results.filter(({ ok }) => ok).length
  }

  async #connect(account: number): Promise<void> {
    const started = await this.#executor.oauth.start({
      ...this.#refOf(account),
      client: "app",
      clientOwner: "org",
      template: "oauth",
    })
    if (started.status !== "redirect") throw new Error(`The flow is ${started.status}.`)
    const callbackUrl = await this.#server.visit(started.authorizationUrl)
    this.#grants.push(account)
    await this.#executor.oauth.complete({ callbackUrl })
  }

  async #rowOf(account: number): Promise<ConnectionRow> {
    const row = await Effect.runPromise(this.#store.connections.get(this.#keyOf(account)))
    if (row === undefined) throw new Error(`Account ${account} is gone.`)
    return row
  }

  #refOf(account: number) {
    const ref = refsOf(this.#stage)[account]
    if (ref === undefined) throw new Error(`There is no account ${account}.`)
    return ref
  }

  #keyOf(account: number): ConnectionKey {
    const ref = this.#refOf(account)
    return { ...ref, tenant, subject: ref.owner === "user" ? subject : "" }
  }
}
