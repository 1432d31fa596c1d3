/** The provider on a Secret Service whose keyring is locked, with nobody there to unlock it. */
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { keychainProvider } from "../src/index.ts"
import { classify } from "../src/keychainFailure.ts"
import { describeWithSecretService, SecretService } from "./SecretService.ts"

describe("a message about a locked keychain", () => {
  it.each([
    "Couldn't access platform storage: Secret Service: unlock prompt was dismissed",
    "zbus error: org.freedesktop.Secret.Error.IsLocked: Cannot get secret of a locked object",
    "User interaction is not allowed.",
  ])("asks to unlock it: %s", (message) => {
    expect(classify(message, "linux")).toMatchObject({ _tag: "ProviderUnavailableError", reason: "locked" })
  })
})

describeWithSecretService("keychainProvider on a locked keyring", () => {
  const stored = canary("stored")
  const pasted = canary("pasted")
  let service: SecretService
  beforeAll(async () => {
    const before = await SecretService.start()
    before.secretTool(["store", "--label=x", "service", "keyward", "username", "alpha"], stored)
    before.secretTool(["store", "--label=x", "service", "keyward (index)", "username", "alpha"], "keyward")
    await before.end()
    service = await SecretService.startLocked(before)
    Object.assign(process.env, service.environment)
  })
  afterAll(() => service[Symbol.asyncDispose]())

  const provider = keychainProvider()
  it.each([
    ["get", () => provider.get("alpha")],
    ["set", () => provider.set!("alpha", Redacted.make(pasted))],
    ["delete", () => provider.delete!("alpha")],
    ["list", () => provider.list!()],
  ] as const)("says so in %s, which is not the same as missing", async (_, call) => {
    const failure = await Effect.runPromise(Effect.flip<unknown, unknown, never>(call()))
    expect(failure).toMatchObject({ _tag: "ProviderUnavailableError", provider: "keychain", reason: "locked" })
    expect(failure).toHaveProperty("message", expect.stringContaining("Unlock it, then try again."))
    new CanaryScanner([stored, pasted]).expectNone(failure, "the error")
  })

  it("still answers undefined for what is not there", async () => {
    expect(await Effect.runPromise(provider.get("beta"))).toBeUndefined()
    await Effect.runPromise(provider.close!())
  })
})
