/**
 * `oauth.complete` with something going wrong at each of its steps: the connection is whole or as it was, and no token is left over
 * that nobody has and nobody revokes.
 */
import { memoryStore } from "@keyward/core"
import { createExecutor as createEffectExecutor } from "@keyward/core/effect"
import { misbehavingAuthorizationServer } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { eventually } from "../../eventually.ts"
import { acmePlugin, countingProvider, toJson } from "../acme.ts"
import { steppingProvider, steppingStore } from "./faultyStage.ts"
import { appByHand, flowOfMine, redirectUri } from "./oauthStage.ts"

/** Runs one `complete` in which `fault` happens at the step of that number; answers whether there was such a step. */
const completeWithFault = async (
  fault: "failure" | "interruption",
  at: number,
  { isReconnecting }: { readonly isReconnecting: boolean },
): Promise<boolean> => {
  await using server = await misbehavingAuthorizationServer()
  const vault = countingProvider()
  let isCounting = false
  let steps = 0
  let interrupt = (): void => undefined
  const step = (): Effect.Effect<void, "fail"> =>
    Effect.suspend(() => {
      if (!isCounting || steps++ !== at) return Effect.void
      if (fault === "failure") return Effect.fail("fail" as const)
      interrupt()
      return Effect.sleep(1)
    })
  const plugin = acmePlugin(
    { call: ({ fetch }) => fetch("/resource").then(toJson) },
    {
      catalog: "connection",
      resolveTools: () => Effect.as(Effect.suspend(step), [{ name: "call", annotations: { readOnlyHint: true } }]),
    },
  )
  await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const executor = yield* createEffectExecutor({
          subject: "alice",
          plugins: [plugin],
          providers: [steppingProvider(vault.provider, step)],
          store: steppingStore(memoryStore(), step),
          redirectUri,
          egress: { allowHosts: [server.host] },
        })
        const acme = executor.extension("acme") as ReturnType<NonNullable<typeof plugin.extension>>
        yield* Effect.promise(() =>
          acme.add({
            slug: "api",
            baseUrl: server.origin,
            authTemplates: [{ slug: "oauth", type: "oauth2", scopes: ["read"] }],
          }),
        )
        yield* executor.oauth.createClient(appByHand(server))
        const begin = Effect.gen(function* () {
          const started = yield* executor.oauth.start(flowOfMine)
          if (started.status !== "redirect") throw new Error("expected a redirect")
          return yield* Effect.promise(() => server.visit(started.authorizationUrl))
        })
        if (isReconnecting) yield* executor.oauth.complete({ callbackUrl: yield* begin })
        const before = new Map(vault.items)
        const callbackUrl = yield* begin
        isCounting = true
        const completing = yield* Effect.forkChild(executor.oauth.complete({ callbackUrl }))
        interrupt = () => void Effect.runFork(Fiber.interrupt(completing))
        const exit = yield* Fiber.await(completing)
        isCounting = false
        const row = yield* executor.connections.get({ owner: "user", integration: "api", name: "main" })
        const changed = [...vault.items].filter(([id, value]) => before.get(id) !== value)
        if (exit._tag === "Success") expect(row).toMatchObject({ status: "active" })
        if (row === null) {
          // Whatever was obtained is revoked, and nothing of it stays.
          yield* Effect.promise(() =>
            eventually(() => {
              expect([...vault.items.keys()]).toEqual([])
              for (const { endedBy } of server.grants.slice(0, server.requests("token").length)) {
                expect(endedBy).toBe("revocation")
              }
            }),
          )
        } else {
          const called = yield* executor.execute("tools.api.user.main.call")
          expect(called).toMatchObject({ ok: true })
          // Either both tokens are the new grant's, or neither is.
          expect(changed.length === 2 || (isReconnecting && changed.length === 0)).toBe(true)
        }
      }),
    ),
  )
  return steps > at
}

describe.each(["failure", "interruption"] as const)("a %s at every step", (fault) => {
  it.each([
    ["a new connection", false],
    ["a connection that is there", true],
  ])("leaves %s whole, or as it was", async (_, isReconnecting) => {
    let at = 0
    while (await completeWithFault(fault, at, { isReconnecting })) at += 1
    // As many as the longest way has: session, records, items, catalog and row.
    expect(at).toBeGreaterThan(10)
  })
})
