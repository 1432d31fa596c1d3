/** The limit on a provider's calls, by a clock that the test turns. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { ProviderTimeoutError } from "../../src/credential/CredentialError.ts"
import type { CredentialProvider } from "../../src/credential/CredentialProvider.ts"
import { CredentialProviders } from "../../src/credential/CredentialProviders.ts"

const hanging = (key: string, timeoutMs?: number): CredentialProvider => ({
  key,
  writable: false,
  ...(timeoutMs === undefined ? {} : { timeoutMs }),
  get: () => Effect.never,
})

it.effect("gives a provider up at the executor's limit, not a millisecond earlier", () =>
  Effect.gen(function* () {
    const providers = new CredentialProviders([hanging("vault")], 15_000)
    const reading = yield* Effect.forkChild(Effect.flip(providers.read("vault", "id")))
    yield* TestClock.adjust("14999 millis")
    expect(reading.pollUnsafe()).toBeUndefined()
    yield* TestClock.adjust("1 millis")
    expect(yield* Fiber.join(reading)).toEqual(new ProviderTimeoutError({ provider: "vault", timeoutMs: 15_000 }))
  }),
)

it.effect("lets a provider that asks a person declare a limit of its own", () =>
  Effect.gen(function* () {
    const providers = new CredentialProviders([hanging("vault", 120_000)], 15_000)
    const reading = yield* Effect.forkChild(Effect.flip(providers.read("vault", "id")))
    yield* TestClock.adjust("119 seconds")
    expect(reading.pollUnsafe()).toBeUndefined()
    yield* TestClock.adjust("1 seconds")
    expect(yield* Fiber.join(reading)).toMatchObject({ _tag: "ProviderTimeoutError", timeoutMs: 120_000 })
  }),
)
