/**
 * What a store's author hands to the contract suite, the records its cases write, and the probe they speak through.
 */
import * as assert from "node:assert/strict"
import * as Effect from "effect/Effect"
import { variable } from "../auth/AuthTemplate.ts"
import type { AccountsKey, DefaultAccount } from "../connection/AccountStore.ts"
import type { ConnectionRow } from "../connection/Connection.ts"
import type { ConnectionGrant } from "../connection/ConnectionGrant.ts"
import type { ConnectionKey } from "../connection/ConnectionRef.ts"
import type { ConnectionQuery } from "../connection/ConnectionStore.ts"
import { StoreUnavailableError } from "../error/StoreError.ts"
import type { IntegrationRecord } from "../integration/Integration.ts"
import type { Store } from "../integration/Store.ts"
import type { ToolDef } from "../tool/Tool.ts"
import type { CatalogKey } from "../tool/ToolCatalog.ts"
import { type ContractCase, failureOf, settled, succeeding } from "./ContractCase.ts"
import { accessCalls } from "./storeAccessProbe.ts"
import { oauthClient, OAuthProbe, oauthSession, revocation } from "./storeOAuthProbe.ts"
import { approval, policy } from "./storePolicyProbe.ts"

/** A fresh, empty store with the handles the contract needs; made anew for each case. */
export interface StoreUnderTest {
  readonly store: Store
  /** Opens the same records once more, as another process would. Required by the capability `durable`. */
  readonly open?: (() => PromiseLike<Store> | Store) | undefined
  /** From now on the backend cannot be reached. Required by the capability `breakable`. */
  readonly breakBackend?: (() => PromiseLike<void> | void) | undefined
  /** Called once after the case, whatever came of it, after every opened store was closed. */
  readonly dispose?: (() => PromiseLike<void> | void) | undefined
}

/** What a store can do beyond the contract of all. */
export interface StoreCapabilities {
  /** Records outlive the store object and are shared by all that open them. Default `false`; with `true` the subject needs `open`. */
  readonly durable?: boolean | undefined
  /** The subject has `breakBackend`. Default `false`. */
  readonly breakable?: boolean | undefined
  /** A change and its audit entry are written in one transaction, by `audit.alongside`. Default `false`. */
  readonly recordsTogether?: boolean | undefined
}

/** What `storeContract` takes: an empty store, or one with its handles, fresh on each call. */
export type MakeStore = () => Store | StoreUnderTest | PromiseLike<Store | StoreUnderTest>

/** The cases of one suite as they are collected: `test` adds one. */
export interface StoreSuite {
  readonly can: { readonly durable: boolean; readonly breakable: boolean; readonly recordsTogether: boolean }
  readonly cases: ReadonlyArray<ContractCase>
  readonly test: (name: string, check: (probe: StoreProbe) => Promise<void>) => void
  /** Runs a check on a store of its own, for cases that need several. */
  readonly withStore: (check: (probe: StoreProbe) => Promise<void>) => Promise<void>
}

/** Starts an empty suite; each case makes its own subject, closes what it opened and disposes of it. */
export const storeSuite = (make: MakeStore, capabilities: StoreCapabilities): StoreSuite => {
  const cases: Array<ContractCase> = []
  const withStore = async (check: (probe: StoreProbe) => Promise<void>): Promise<void> => {
    const made = await make()
    const subject = "store" in made ? made : { store: made }
    const probe = new StoreProbe(subject)
    try {
      await check(probe)
    } finally {
      await probe.closeAll()
      await subject.dispose?.()
    }
  }
  return {
    can: {
      durable: capabilities.durable ?? false,
      breakable: capabilities.breakable ?? false,
      recordsTogether: capabilities.recordsTogether ?? false,
    },
    cases,
    test: (name, check) => void cases.push({ name, run: () => withStore(check) }),
    withStore,
  }
}

/** The store as the cases speak to it: every call is expected to succeed, and soon. */
export class StoreProbe {
  readonly store: Store
  readonly oauth: OAuthProbe
  readonly #subject: StoreUnderTest
  readonly #opened: Array<Store>

  constructor(subject: StoreUnderTest) {
    this.store = subject.store
    this.oauth = new OAuthProbe(subject.store.oauth)
    this.#subject = subject
    this.#opened = [subject.store]
  }

  get(key: ConnectionKey): Promise<ConnectionRow | undefined> {
    return succeeding(this.store.connections.get(key), "connections.get")
  }

  put(row: ConnectionRow, expectedVersion = row.version - 1): Promise<boolean> {
    return succeeding(this.store.connections.put(row, expectedVersion), "connections.put")
  }

  remove(key: ConnectionKey, expectedVersion?: number): Promise<boolean> {
    return succeeding(this.store.connections.remove(key, expectedVersion), "connections.remove")
  }

  list(query: Omit<ConnectionQuery, "limit"> & { readonly limit?: number }): Promise<ReadonlyArray<ConnectionRow>> {
    return succeeding(this.store.connections.list({ limit: 1000, ...query }), "connections.list")
  }

  expiring(tenant: string, before: number, limit = 1000): Promise<ReadonlyArray<ConnectionRow>> {
    return succeeding(this.store.connections.expiring({ tenant, before, limit }), "connections.expiring")
  }

  /** Those that nobody has claimed. */
  unclaimed(tenant: string, unclaimedAt: number): Promise<ReadonlyArray<ConnectionRow>> {
    const query = { tenant, before: 1_000_000, limit: 1000, unclaimedAt }
    return succeeding(this.store.connections.expiring(query), "connections.expiring")
  }

  claim(
    tenant: string,
    keys: ReadonlyArray<ConnectionKey>,
    term: { readonly now: number; readonly until: number },
  ): Promise<ReadonlyArray<boolean>> {
    return succeeding(this.store.connections.claim(tenant, keys, term), "connections.claim")
  }

  isUsed(tenant: string, integration: string): Promise<boolean> {
    return succeeding(this.store.connections.isUsed(tenant, integration), "connections.isUsed")
  }

  defaultOf(key: AccountsKey): Promise<DefaultAccount | undefined> {
    return succeeding(this.store.accounts.get(key), "accounts.get")
  }

  putDefault(key: AccountsKey, account: DefaultAccount): Promise<void> {
    return succeeding(this.store.accounts.put(key, account), "accounts.put")
  }

  removeDefault(key: AccountsKey, name?: string): Promise<boolean> {
    return succeeding(this.store.accounts.remove(key, name), "accounts.remove")
  }

  integration(tenant: string, slug: string): Promise<IntegrationRecord | undefined> {
    return succeeding(this.store.integrations.get(tenant, slug), "integrations.get")
  }

  putIntegration(record: IntegrationRecord, expectedRevision = record.revision - 1): Promise<boolean> {
    return succeeding(this.store.integrations.put(record, expectedRevision), "integrations.put")
  }

  removeIntegration(tenant: string, slug: string): Promise<boolean> {
    return succeeding(this.store.integrations.remove(tenant, slug), "integrations.remove")
  }

  integrations(tenant: string, after?: string, limit = 1000): Promise<ReadonlyArray<IntegrationRecord>> {
    return succeeding(this.store.integrations.list({ tenant, after, limit }), "integrations.list")
  }

  catalog(key: CatalogKey): Promise<ReadonlyArray<ToolDef> | undefined> {
    return succeeding(this.store.catalogs.get(key), "catalogs.get")
  }

  putCatalog(key: CatalogKey, tools: ReadonlyArray<ToolDef>): Promise<void> {
    return succeeding(this.store.catalogs.put(key, tools), "catalogs.put")
  }

  removeCatalog(key: Omit<CatalogKey, "revision">): Promise<void> {
    return succeeding(this.store.catalogs.remove(key), "catalogs.remove")
  }

  /** Another store over the same records. */
  async open(): Promise<StoreProbe> {
    assert.ok(this.#subject.open, "The capability `durable` needs `open`.")
    const store = await this.#subject.open()
    this.#opened.push(store)
    return new StoreProbe({ ...this.#subject, store })
  }

  async breakBackend(): Promise<void> {
    assert.ok(this.#subject.breakBackend, "The capability `breakable` needs `breakBackend`.")
    await this.#subject.breakBackend()
  }

  async close(): Promise<void> {
    await succeeding(this.store.close?.() ?? Effect.void, "close")
  }

  async closeAll(): Promise<void> {
    for (const store of this.#opened) await Effect.runPromise(Effect.ignoreCause(store.close?.() ?? Effect.void))
  }

  async expectRow(row: ConnectionRow): Promise<void> {
    assert.deepEqual(await this.get(row), row, "A connection did not come back as it was written.")
  }

  async expectNoRow(key: ConnectionKey): Promise<void> {
    assert.equal(await this.get(key), undefined, "A connection is there that was removed or never written.")
  }

  /** Every call must fail, and with `StoreUnavailableError`: what the store says when it cannot work. */
  async expectUnavailable(when: string): Promise<void> {
    const { connections, accounts, integrations, catalogs, lease } = this.store
    const { clients, sessions, revocations } = this.store.oauth
    const { policies, approvals } = this.store
    const row = connection("tenant", "subject", "integration", "name")
    const key: CatalogKey = { tenant: "tenant", integration: "integration", revision: 1, connection: null }
    const calls: ReadonlyArray<readonly [string, Effect.Effect<unknown, StoreUnavailableError>]> = [
      ["connections.get", connections.get(row)],
      ["connections.put", connections.put(row, 0)],
      ["connections.remove", connections.remove(row)],
      ["connections.list", connections.list({ tenant: "tenant", subject: null, limit: 1 })],
      ["connections.expiring", connections.expiring({ tenant: "tenant", before: 0, limit: 1 })],
      ["connections.claim", connections.claim("tenant", [row], { now: 0, until: 1 })],
      ["connections.isUsed", connections.isUsed("tenant", "integration")],
      ["accounts.get", accounts.get(row)],
      ["accounts.put", accounts.put(row, { name: "name", incarnation: "first" })],
      ["accounts.remove", accounts.remove(row)],
      ["integrations.get", integrations.get("tenant", "integration")],
      ["integrations.put", integrations.put(integrationRecord("tenant", "integration"), 0)],
      ["integrations.remove", integrations.remove("tenant", "integration")],
      ["integrations.list", integrations.list({ tenant: "tenant", limit: 1 })],
      ["catalogs.get", catalogs.get(key)],
      ["catalogs.put", catalogs.put(key, [])],
      ["catalogs.remove", catalogs.remove(key)],
      ["oauth.clients.get", clients.get(oauthClient("tenant", "", "slug"))],
      ["oauth.clients.put", clients.put(oauthClient("tenant", "", "slug"), 0)],
      ["oauth.clients.remove", clients.remove(oauthClient("tenant", "", "slug"))],
      ["oauth.clients.list", clients.list({ tenant: "tenant", subject: null, limit: 1 })],
      ["oauth.sessions.get", sessions.get("tenant", "hash")],
      ["oauth.sessions.put", sessions.put(oauthSession("tenant", "hash"), 0)],
      ["oauth.sessions.take", sessions.take("tenant", "hash")],
      ["oauth.sessions.removeExpired", sessions.removeExpired("tenant", 0)],
      ["oauth.revocations.put", revocations.put(revocation("tenant", "id"))],
      ["oauth.revocations.remove", revocations.remove("tenant", "id")],
      ["policies.rules", policies.rules("tenant", "subject")],
      ["policies.get", policies.get("tenant", "id")],
      ["policies.put", policies.put(policy("tenant", "", "id"), 0)],
      ["policies.remove", policies.remove("tenant", "id")],
      ["approvals.get", approvals.get("tenant", "id")],
      ["approvals.put", approvals.put(approval("tenant", "", "id"), 0)],
      ["approvals.take", approvals.take("tenant", "id", 1)],
      ["approvals.find", approvals.find("tenant", ["key"])],
      ["approvals.list", approvals.list({ tenant: "tenant", subject: null, limit: 1 })],
      ["approvals.removeExpired", approvals.removeExpired("tenant", 0)],
      ["oauth.revocations.due", revocations.due({ tenant: "tenant", now: 0, limit: 1 })],
      ...accessCalls(this.store),
      ["lease.hold", lease.hold("key", () => Effect.die(new Error("The lease was given.")))],
    ]
    for (const [call, effect] of calls) {
      const failure = failureOf(await settled(effect, call), `${call} ${when}`)
      assert.ok(failure instanceof StoreUnavailableError, `${call} ${when} fails as StoreUnavailableError.`)
    }
  }
}

/** A connection's row at version 1; `subject: ""` makes it the organisation's. */
export const connection = (
  tenant: string,
  subject: string,
  integration: string,
  name: string,
  changes: Partial<ConnectionRow> = {},
): ConnectionRow => ({
  tenant,
  subject,
  owner: subject === "" ? "org" : "user",
  integration,
  name,
  incarnation: "incarnation",
  template: "apiKey",
  provider: "memory",
  origin: "minted",
  items: [["token", `connection:${integration}:${name}:token`]],
  confirmedOrigins: "https://api.example.test",
  identityLabel: null,
  description: null,
  expiresAt: null,
  oauthClient: null,
  oauthClientOwner: null,
  oauthScope: null,
  grant: null,
  status: "active",
  statusReason: null,
  version: 1,
  ...changes,
})

/** What an OAuth flow obtained, with a refresh token. */
export const connectionGrant = (changes: Partial<ConnectionGrant> = {}): ConnectionGrant => ({
  id: "grant",
  type: "authorization_code",
  clientId: "client",
  issuer: "https://issuer.example.test",
  tokenUrl: "https://issuer.example.test/token",
  revocationUrl: null,
  isIssRequired: false,
  resource: null,
  requestedScope: null,
  tokenType: "Bearer",
  hasRefreshToken: true,
  assertionSubject: null,
  issuedAt: 0,
  stepUps: 0,
  intent: null,
  ...changes,
})

/** The row as its next write: version counted up, with changes. */
export const nextVersion = (row: ConnectionRow, changes: Partial<ConnectionRow> = {}): ConnectionRow => ({
  ...row,
  ...changes,
  version: row.version + 1,
})

/** An integration's record at revision 1. */
export const integrationRecord = (
  tenant: string,
  slug: string,
  changes: Partial<IntegrationRecord> = {},
): IntegrationRecord => ({
  tenant,
  slug,
  name: slug,
  description: null,
  plugin: "acme",
  baseUrl: "https://api.example.test/v1",
  origins: ["https://api.example.test"],
  authTemplates: [{ slug: "apiKey", type: "apiKey", headers: { "X-API-Key": ["Key ", variable("token")] } }],
  revision: 1,
  config: null,
  fingerprint: "fingerprint",
  ...changes,
})

/** So many tools, each with schemas; `mark` tells catalogs apart. */
export const tools = (count: number, mark: string): ReadonlyArray<ToolDef> =>
  Array.from({ length: count }, (_, index) => ({
    name: `group.tool${count - index}`,
    description: `${mark} ${index}`,
    inputSchema: { type: "object", properties: { id: { type: "integer" } }, required: ["id"] },
    annotations: { readOnlyHint: index % 2 === 0 },
    data: { path: `/items/${index}`, mark },
  }))
