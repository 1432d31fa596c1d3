/**
 * What a store does with OAuth records: clients by compare-and-set, flows that are taken once, revocations that are not forgotten.
 */
import * as assert from "node:assert/strict"
import type { OAuthClientRecord } from "../oauth/OAuthClient.ts"
import { hostileIds, hostileValues, lookAlikeIds } from "./hostileText.ts"
import { byCodeUnits, inPages, orderedNames } from "./storeLists.ts"
import { oauthClient, type OAuthProbe, oauthSession, revocation } from "./storeOAuthProbe.ts"
import type { StoreSuite } from "./storeProbe.ts"

/** Adds the cases about OAuth clients. */
export const addOAuthClientCases = ({ test }: StoreSuite): void => {
  const github = oauthClient("acme", "", "github")

  test("gives back an OAuth client exactly as it was written", async ({ oauth }) => {
    assert.equal(await oauth.client(github), undefined)
    const full = oauthClient("acme", "alice", "full", {
      grant: "urn:ietf:params:oauth:grant-type:device_code",
      clientId: hostileValues.map(({ text }) => text.slice(0, 100)).join("|"),
      origin: "dynamic",
      issuer: null,
      deviceAuthorizationUrl: "https://issuer.example.test/device",
      revocationUrl: "https://issuer.example.test/revoke?a=b",
      pushedAuthorizationRequestUrl: "https://issuer.example.test/par",
      tokenEndpointAuthMethod: "private_key_jwt",
      secretProvider: "memory",
      clientSecretItem: "item 1",
      privateKeyItem: "item 2",
      registrationTokenItem: "item 3",
      resource: "https://api.example.test/mcp",
      dpop: true,
      authorizationParams: JSON.parse(`{"__proto__":"","constructor":"a b","prompt":"consent"}`) as Record<
        string,
        string
      >,
      quirks: {
        scopeSeparator: ",",
        tokenResponse: { accessToken: "authed_user.access_token" },
        successStatuses: [200, 201],
      },
      registration: {
        redirectUri: "http://127.0.0.1/callback",
        scope: "read write",
        secretExpiresAt: 4_102_444_800_123,
        configurationUrl: "https://issuer.example.test/register/1",
      },
    })
    for (const record of [github, full]) {
      assert.equal(await oauth.putClient(record), true)
      assert.deepEqual(await oauth.client(record), record)
    }
  })

  test("writes an OAuth client only over the version that was expected", async ({ oauth }) => {
    const second = { ...github, version: 2, clientId: "second" }
    assert.equal(await oauth.putClient(second, 1), false, "A client was written over one that is not there.")
    assert.equal(await oauth.putClient(github, 0), true)
    assert.equal(await oauth.putClient({ ...github, clientId: "again" }, 0), false, "A client was created twice.")
    assert.equal(await oauth.putClient(second, 1), true)
    assert.equal(await oauth.putClient({ ...second, clientId: "stale" }, 1), false, "A stale write won.")
    assert.deepEqual(await oauth.client(github), second)
  })

  test("lets exactly one of many writers create an OAuth client", async ({ oauth }) => {
    const records = Array.from({ length: 20 }, (_, index) => ({ ...github, clientId: `writer ${index}` }))
    const won = await Promise.all(records.map((record) => oauth.putClient(record, 0)))
    assert.equal(won.filter(Boolean).length, 1, "Not exactly one writer won.")
    assert.deepEqual(await oauth.client(github), records[won.indexOf(true)])
  })

  test("removes an OAuth client once, and lets it be created anew", async ({ oauth }) => {
    assert.equal(await oauth.removeClient(github), false)
    await oauth.putClient(github)
    assert.equal(await oauth.removeClient({ ...github, tenant: "other" }), false)
    assert.equal(await oauth.removeClient(github), true)
    assert.equal(await oauth.removeClient(github), false)
    assert.equal(await oauth.client(github), undefined)
    assert.equal(await oauth.putClient(github, 0), true)
  })

  for (const [part, at] of [
    ["tenants", (text: string) => oauthClient(text, "alice", "github")],
    ["subjects", (text: string) => oauthClient("acme", text, "github")],
    ["slugs", (text: string) => oauthClient("acme", "alice", text)],
  ] as const) {
    test(`keeps OAuth clients apart by ${part} that are hostile or look alike`, async ({ oauth }) => {
      const texts = [...hostileIds.map(({ text }) => text), ...lookAlikeIds.flatMap(({ ids }) => ids)]
      const usable = [...new Set(texts)].filter((text) => text !== "" && text.length <= 512)
      const records = usable.map((text, index) => ({ ...at(text), clientId: `client ${index}` }))
      for (const record of records) assert.equal(await oauth.putClient(record), true)
      for (const record of records) assert.deepEqual(await oauth.client(record), record)
      for (const { tenant, subject } of records) {
        const visible = records.filter((record) => record.tenant === tenant && record.subject === subject)
        assert.deepEqual(await oauth.clients({ tenant, subject }), inClientOrder(visible))
      }
    })
  }

  test("lists OAuth clients by owner and slug, code unit by code unit, and only what is asked for", async ({
    oauth,
  }) => {
    const records = await manyClients(oauth)
    const listed = async (
      query: Parameters<OAuthProbe["clients"]>[0],
      wanted: (record: OAuthClientRecord) => boolean,
    ): Promise<void> => assert.deepEqual(await oauth.clients(query), inClientOrder(records.filter(wanted)))
    const alice = { tenant: "acme", subject: "alice" }
    await listed(alice, ({ tenant, subject }) => tenant === "acme" && (subject === "" || subject === "alice"))
    await listed({ ...alice, subject: null }, ({ tenant, subject }) => tenant === "acme" && subject === "")
    await listed({ ...alice, owner: "org" }, ({ tenant, subject }) => tenant === "acme" && subject === "")
    await listed({ ...alice, owner: "user" }, ({ tenant, subject }) => tenant === "acme" && subject === "alice")
    await listed({ ...alice, subject: null, owner: "user" }, () => false)
    await listed({ ...alice, tenant: "nobody" }, () => false)
  })

  test("lists OAuth clients page by page, each once, also after one that is gone", async ({ oauth }) => {
    await manyClients(oauth)
    for (const query of [
      { tenant: "acme", subject: "alice" },
      { tenant: "acme", subject: "alice", owner: "user" as const },
    ]) {
      const whole = await oauth.clients(query)
      for (const limit of [1, 4, whole.length, whole.length + 1]) {
        const pages = await inPages(limit, whole.length, (after: OAuthClientRecord | undefined) =>
          oauth.clients({ ...query, limit, ...(after && { after }) }),
        )
        assert.deepEqual(pages, whole)
      }
    }
    const query = { tenant: "acme", subject: "alice" }
    const [first, ...rest] = await oauth.clients(query)
    assert.ok(first !== undefined)
    await oauth.removeClient(first)
    assert.deepEqual(await oauth.clients({ ...query, after: first }), rest)
    assert.deepEqual(await oauth.clients({ ...query, after: { owner: "user", slug: "\uffff" } }), [])
  })
}

/** Adds the cases about flows under way. */
export const addOAuthSessionCases = ({ test }: StoreSuite): void => {
  const flow = oauthSession("acme", "hash")

  test("gives back a flow exactly as it was written", async ({ oauth }) => {
    assert.equal(await oauth.session("acme", "hash"), undefined)
    const device = oauthSession("acme", "device", {
      startedBy: null,
      grant: "urn:ietf:params:oauth:grant-type:device_code",
      clientOwner: "user",
      owner: "org",
      identityLabel: null,
      redirectUri: null,
      server: {
        issuer: null,
        tokenUrl: "https://a.example.test",
        revocationUrl: "https://b.example.test",
        isIssRequired: false,
      },
      resource: "https://api.example.test/mcp",
      requestedScope: null,
      stepUps: 2,
      sealed: "x".repeat(8192),
      createdAt: 4_102_444_800_123,
      expiresAt: 4_102_445_400_123,
      device: { interval: 5, nextPollAt: 4_102_444_805_123 },
    })
    for (const record of [flow, device, oauthSession("acme", "labelled", { identityLabel: "" })]) {
      assert.equal(await oauth.putSession(record), true)
      assert.deepEqual(await oauth.session("acme", record.stateHash), record)
    }
  })

  test("writes a flow only over the version that was expected", async ({ oauth }) => {
    const polled = { ...flow, version: 2, device: { interval: 10, nextPollAt: 1 } }
    assert.equal(await oauth.putSession(polled, 1), false, "A flow was written over one that is not there.")
    assert.equal(await oauth.putSession(flow, 0), true)
    assert.equal(await oauth.putSession({ ...flow, client: "another" }, 0), false, "A flow was begun twice.")
    assert.equal(await oauth.putSession(polled, 1), true)
    assert.equal(await oauth.putSession({ ...polled, client: "stale" }, 1), false, "A stale write won.")
    assert.deepEqual(await oauth.session("acme", "hash"), polled)
  })

  test("gives a flow to exactly one of many takers", async ({ oauth }) => {
    assert.equal(await oauth.takeSession("acme", "hash"), undefined)
    await oauth.putSession(flow)
    await takenOnce([oauth])
    assert.equal(
      await oauth.putSession({ ...flow, version: 2 }, 1),
      false,
      "A flow that was taken came back by an update.",
    )
  })

  test("knows no flow of another tenant, nor one whose hash looks alike", async ({ oauth }) => {
    await oauth.putSession(flow)
    await oauth.putSession(oauthSession("other", "own"))
    for (const [tenant, hash] of [
      ["other", "hash"],
      ["Acme", "hash"],
      ["", "hash"],
      ["acme", "Hash"],
      ["acme", "own"],
      ["acme", "__proto__"],
    ] as const) {
      assert.equal(await oauth.session(tenant, hash), undefined)
      assert.equal(await oauth.takeSession(tenant, hash), undefined)
    }
    assert.equal(await oauth.removeExpired("nobody", 1e12), 0)
    assert.deepEqual(await oauth.session("acme", "hash"), flow)
  })

  test("removes a tenant's flows that expired before a time, and no others", async ({ oauth }) => {
    const flows = [1, 999, 1000, 1001].map((expiresAt) => oauthSession("acme", `expires ${expiresAt}`, { expiresAt }))
    const elsewhere = oauthSession("other", "expires 1", { expiresAt: 1 })
    for (const record of [...flows, elsewhere]) await oauth.putSession(record)
    assert.equal(await oauth.removeExpired("acme", 1000), 2)
    assert.equal(await oauth.removeExpired("acme", 1000), 0)
    for (const record of flows) {
      const expected = record.expiresAt < 1000 ? undefined : record
      assert.deepEqual(await oauth.session("acme", record.stateHash), expected)
    }
    assert.deepEqual(await oauth.session("other", "expires 1"), elsewhere)
  })
}

/** Adds the cases about revocations that are owed. */
export const addRevocationCases = ({ test }: StoreSuite): void => {
  test("gives revocations back exactly, those that are due, the longest waiting first", async ({ oauth }) => {
    const records = [3000, 1000, 2000, 2001, 4_102_444_800_123].map((nextAttemptAt, index) =>
      revocation("acme", `revocation ${index}`, {
        nextAttemptAt,
        createdAt: 9 - index,
        attempts: index,
        issuer: index === 0 ? null : "https://issuer.example.test",
        tokenTypeHint: index === 0 ? "access_token" : "refresh_token",
        client: { tenant: "acme", subject: "alice", owner: "user", slug: hostileIds[index]?.text ?? "" },
      }),
    )
    for (const record of records) await oauth.putRevocation(record)
    const [third, first, second, fourth, last] = records
    assert.deepEqual(await oauth.due("acme", 999), [])
    assert.deepEqual(await oauth.due("acme", 2000), [first, second])
    assert.deepEqual(await oauth.due("acme", 5000), [first, second, fourth, third])
    assert.deepEqual(await oauth.due("acme", 5000, 2), [first, second])
    assert.deepEqual(await oauth.due("acme", 4_102_444_800_123), [first, second, fourth, third, last])
  })

  test("replaces a revocation of the same id, and removes it once for all", async ({ oauth }) => {
    await oauth.putRevocation(revocation("acme", "one"))
    const later = revocation("acme", "one", { attempts: 1, nextAttemptAt: 2000 })
    await oauth.putRevocation(later)
    assert.deepEqual(await oauth.due("acme", 1999), [])
    assert.deepEqual(await oauth.due("acme", 2000), [later])
    await oauth.removeRevocation("acme", "one")
    await oauth.removeRevocation("acme", "one")
    assert.deepEqual(await oauth.due("acme", 1e12), [])
  })

  test("keeps the revocations of tenants apart", async ({ oauth }) => {
    const records = ["acme", "Acme", "other", "__proto__"].map((tenant) => revocation(tenant, "one"))
    for (const record of records) await oauth.putRevocation(record)
    for (const record of records) assert.deepEqual(await oauth.due(record.tenant, 1e12), [record])
    await oauth.removeRevocation("acme", "one")
    for (const record of records) {
      assert.deepEqual(await oauth.due(record.tenant, 1e12), record.tenant === "acme" ? [] : [record])
    }
  })
}

/** Adds the cases about OAuth records that several processes share. */
export const addDurableOAuthCases = ({ can, test }: StoreSuite): void => {
  if (!can.durable) return

  test("gives back OAuth clients, flows and revocations after it was closed and opened again", async (probe) => {
    await probe.oauth.putClient(oauthClient("acme", "", "github"))
    await probe.oauth.putSession(oauthSession("acme", "hash"))
    await probe.oauth.putRevocation(revocation("acme", "one"))
    await probe.close()
    const { oauth } = await probe.open()
    assert.deepEqual(await oauth.client(oauthClient("acme", "", "github")), oauthClient("acme", "", "github"))
    assert.deepEqual(await oauth.session("acme", "hash"), oauthSession("acme", "hash"))
    assert.deepEqual(await oauth.due("acme", 1000), [revocation("acme", "one")])
  })

  test("gives a flow to exactly one of many takers over several handles", async (probe) => {
    const others = [await probe.open(), await probe.open()]
    await probe.oauth.putSession(oauthSession("acme", "hash"))
    await takenOnce([probe.oauth, ...others.map(({ oauth }) => oauth)])
  })
}

/** Has 50 takers at once, over one or more stores, take the flow `hash` of `acme`; exactly one may get it. */
const takenOnce = async (probes: ReadonlyArray<OAuthProbe>): Promise<void> => {
  const takers = Array.from(
    { length: 50 },
    async (_, index) => await probes[index % probes.length]?.takeSession("acme", "hash"),
  )
  const taken = (await Promise.all(takers)).filter((found) => found !== undefined)
  assert.deepEqual(taken, [oauthSession("acme", "hash")], "Not exactly one taker got the flow.")
  for (const probe of probes) assert.equal(await probe.session("acme", "hash"), undefined)
}

const inClientOrder = (records: ReadonlyArray<OAuthClientRecord>): ReadonlyArray<OAuthClientRecord> =>
  [...records].sort((one, other) => byCodeUnits(one.owner, other.owner) || byCodeUnits(one.slug, other.slug))

const manyClients = async (oauth: OAuthProbe): Promise<ReadonlyArray<OAuthClientRecord>> => {
  const records = [
    ...["", "alice", "Alice"].flatMap((subject) => orderedNames.map((slug) => oauthClient("acme", subject, slug))),
    oauthClient("other", "", "elsewhere"),
    oauthClient("other", "alice", "elsewhere"),
  ]
  for (const record of records) assert.equal(await oauth.putClient(record), true)
  return records
}
