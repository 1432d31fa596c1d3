/**
 * Isolation by construction: whatever tenants, users, integrations and connections are called, a call made as one caller sends
 * that caller's secret and no other, though all share one provider and one store. Proven over a real upstream that records.
 */
import {
  connectionIdentifier,
  type ConnectionRef,
  createExecutor,
  memoryProvider,
  memoryStore,
  type Owner,
} from "@keyward/core"
import { fakeUpstream } from "@keyward/core/testing"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { acmePlugin, contentsOf, received, templates, toJson } from "./acme.ts"

/** Names made to collide: separators, escapes, prototypes, case, composition, prefixes of each other. */
const hostile = [
  "a",
  "A",
  "aa",
  "a/b",
  "a:b",
  "a%2Fb",
  "a%3Ab",
  "..",
  "../a",
  "a/..",
  "%",
  "%25",
  "__proto__",
  "constructor",
  "toString",
  "caf\u00e9",
  "cafe\u0301",
  "org",
  "user",
  "connection",
  "connection:org:api:a:token",
  "a/connection",
  "default",
  "",
  " ",
  "\0",
  "a\0",
  "a\\",
  '"',
  "']",
  "a.b",
  "tools.api.org.a",
  "\u{1f511}",
  "ΣΑΣ",
  "σας",
  "İ",
  "i",
]
const identityPart = fc
  .oneof({ weight: 4, arbitrary: fc.constantFrom(...hostile) }, fc.string({ unit: "binary", maxLength: 8 }))
  .filter((part) => part !== "" && part.isWellFormed())
const connectionName = fc
  .oneof(
    { weight: 4, arbitrary: fc.constantFrom(...hostile, "my-key", "my_key", "myKey", "MY KEY") },
    fc.string({ unit: "grapheme", maxLength: 8 }),
  )
  .filter((name) => connectionIdentifier(name) !== undefined)
const slug = fc.constantFrom(
  "api",
  "API",
  "a",
  "a-b",
  "a_b",
  "$",
  "__proto__",
  "constructor",
  "org",
  "caf\u00e9",
  "cafe\u0301",
  "connection",
)

const spot = fc.record({
  tenant: identityPart,
  subject: fc.option(identityPart),
  owner: fc.constantFrom<Owner>("org", "user"),
  integration: slug,
  name: connectionName,
})
type Spot = typeof spot extends fc.Arbitrary<infer A> ? A : never

/** Which connection a spot means: what is to be told apart, and nothing else. */
const meaning = ({ tenant, subject, owner, integration, name }: Spot): string =>
  JSON.stringify([tenant, owner === "user" ? subject : null, owner, integration, connectionIdentifier(name)])

describe("tenants, users, integrations and connections that share a provider and a store", () => {
  it("never send each other's secrets, nor list each other's things", async () => {
    await using upstream = await fakeUpstream((request) => ({ json: received(request) }))
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(spot, { minLength: 2, maxLength: 24, selector: meaning }), async (drawn) => {
        const spots = drawn.filter(({ owner, subject }) => owner === "org" || subject !== null)
        const provider = memoryProvider()
        await using executor = await createExecutor({
          plugins: [
            acmePlugin({ call: ({ fetch, args }) => fetch(`/?at=${String(args["at"])}`).then(toJson) }),
          ] as const,
          providers: [provider],
          store: memoryStore(),
          egress: { allowHosts: [upstream.host] },
        })
        const as = ({ tenant, subject }: Pick<Spot, "tenant" | "subject">) => executor.withIdentity({ tenant, subject })
        const secretAt = (index: number): string => `secret-${index}-of-its-own`
        for (const [index, one] of spots.entries()) {
          const caller = as(one)
          await caller.acme.add({ slug: one.integration, baseUrl: upstream.origin, authTemplates: templates })
          const { owner, integration, name } = one
          await caller.connections.create({ owner, integration, name, template: "bearer", value: secretAt(index) })
        }
        const from = upstream.requests.length
        await Promise.all(
          spots.map(async (one, index) => {
            const ref: ConnectionRef = { owner: one.owner, integration: one.integration, name: one.name }
            const connection = await as(one).connections.get(ref)
            expect(await as(one).execute(`${connection?.address ?? ""}.call`, { at: index })).toMatchObject({
              ok: true,
            })
            await as(one).connections.fetch(ref)(`/?at=${index}`).then(toJson)
          }),
        )
        const sent = upstream.requests
          .slice(from)
          .map(({ query, headers }) => [Number(query.get("at")), headers.authorization])
        expect(sent).toHaveLength(2 * spots.length)
        for (const [index, authorization] of sent) expect(authorization).toBe(`Bearer ${secretAt(Number(index))}`)

        // Everybody sees their own: as many items and rows as there are connections, and each list adds up to what is theirs.
        expect(Object.keys(await contentsOf(provider))).toHaveLength(spots.length)
        for (const one of spots) {
          const theirs = spots.filter(
            (other) => other.tenant === one.tenant && (other.owner === "org" || other.subject === one.subject),
          )
          const addresses = theirs
            .map(({ integration, owner, name }) => `tools.${integration}.${owner}.${connectionIdentifier(name) ?? ""}`)
            .toSorted()
          const caller = as(one)
          expect((await caller.connections.list()).map(({ address }) => address).toSorted()).toEqual(addresses)
          expect((await caller.tools.list()).map(({ address }) => address).toSorted()).toEqual(
            addresses.map((address) => `${address}.call`),
          )
          expect(await caller.providers.items("memory")).toHaveLength(theirs.length)
        }

        // Removing one leaves the others whole.
        const [first, ...rest] = spots
        if (first === undefined) return
        await as(first).connections.remove(first)
        expect(Object.values(await contentsOf(provider)).toSorted()).toEqual(
          rest.map((_, index) => secretAt(index + 1)).toSorted(),
        )
      }),
      { numRuns: 60 },
    )
  }, 60_000)

  it("are out of reach for a caller who only knows their names", async () => {
    await using executor = await createExecutor({
      tenant: "acme",
      subject: "alice",
      plugins: [acmePlugin({ call: () => "reached" })] as const,
      providers: [memoryProvider()],
    })
    await executor.acme.add({ slug: "api", authTemplates: templates })
    const ref = { owner: "user", integration: "api", name: "main" } as const
    await executor.connections.create({ ...ref, template: "bearer", value: "v" })
    for (const identity of [
      { subject: "bob" },
      { subject: "Alice" },
      { subject: "alice/" },
      { tenant: "Acme", subject: "alice" },
      { tenant: "acme/alice" },
      { tenant: "acme/alice", subject: "alice" },
      { tenant: "acme", subject: "*" },
      { tenant: "%", subject: "alice" },
    ]) {
      const other = executor.withIdentity(identity)
      expect(await other.connections.list()).toEqual([])
      expect(await other.tools.list()).toEqual([])
      expect(await other.connections.get(ref)).toBeNull()
      expect(await other.tools.schema("tools.api.user.main.call")).toBeNull()
      await expect(other.execute("tools.api.user.main.call")).rejects.toMatchObject({ _tag: "ConnectionNotFoundError" })
      await expect(other.connections.remove(ref)).rejects.toMatchObject({
        _tag: expect.stringMatching(/^(ConnectionNotFoundError|InvalidConnectionInputError)$/) as string,
      })
    }
    expect(await executor.execute("tools.api.user.main.call")).toEqual({ ok: true, data: "reached" })
  })
})
