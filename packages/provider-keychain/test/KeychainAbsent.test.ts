/**
 * The provider where there is no keychain: a machine or container without a D-Bus session, which is where agents often run.
 *
 * Real on every Linux, with or without system packages: this process is pointed at a bus that is not there.
 */
import { InvalidProviderOptionsError } from "@keyward/core"
import { canary, CanaryScanner } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { keychainProvider } from "../src/index.ts"
import { classify } from "../src/keychainFailure.ts"

const messages: ReadonlyArray<readonly [string, string, string]> = [
  [
    "no_keychain",
    "ProviderUnavailableError",
    "Platform failure: DBus error: Using X11 for dbus-daemon autolaunch was disabled at compile time, set your DBUS_SESSION_BUS_ADDRESS instead",
  ],
  [
    "no_keychain",
    "ProviderUnavailableError",
    "zbus error: Failed to connect to address `unix:path=/run/user/0/bus`: No such file or directory (os error 2)",
  ],
  [
    "no_keychain",
    "ProviderUnavailableError",
    "Platform failure: DBus error: The name org.freedesktop.secrets was not provided by any .service files",
  ],
  [
    "not_responding",
    "ProviderUnavailableError",
    "Platform failure: DBus error: Did not receive a reply. Possible causes include: the remote application did not send a reply",
  ],
  [
    "no_default_keychain",
    "ProviderUnavailableError",
    "Couldn't access platform storage: Secret Service: no result found",
  ],
  [
    "not_supported",
    "ProviderUnavailableError",
    "Cannot find native binding. npm has a bug related to optional dependencies",
  ],
  [
    "value_too_large",
    "ProviderDeniedError",
    "Attribute 'password encoded as UTF-16' is longer than platform limit of 2560 chars",
  ],
  ["not_text", "ProviderDeniedError", "Password data is not valid UTF-8"],
  ["ambiguous", "ProviderDeniedError", "Entry is matched by 2 credentials: more than one"],
  ["forbidden", "ProviderDeniedError", "Access is denied. (os error 5)"],
  ["failed", "ProviderUnavailableError", "something nobody has seen before"],
]

describe("classify", () => {
  it.each(messages)("gives the reason %s to a %s: %s", (reason, tag, message) => {
    const failure = classify(message, "linux")
    expect(failure).toMatchObject({ _tag: tag, provider: "keychain", reason })
    expect(failure).toHaveProperty("nextStep", expect.stringMatching(/^[A-Z`].{20,}\.$/s))
    expect(failure.message).not.toContain(message)
  })
})

describe("keychainProvider", () => {
  it.each(["", " ", "-x", "a\0b", "*", "a/b", "é", "x".repeat(101)])("refuses the service %j", (service) => {
    expect(() => keychainProvider({ service })).toThrow(InvalidProviderOptionsError)
  })
})

/** Elsewhere the keychain is part of the system, and a test does not touch the one of whoever runs it. */
const describeOnLinux: (name: string, tests: () => void) => void = process.platform === "linux" ? describe : () => {}

describeOnLinux("keychainProvider without a keychain", () => {
  process.env["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nonexistent/keyward"
  const secret = canary("pasted")
  const provider = keychainProvider()

  it.each([
    ["get", () => provider.get("alpha")],
    ["set", () => provider.set!("alpha", Redacted.make(secret))],
    ["delete", () => provider.delete!("alpha")],
    ["list", () => provider.list!()],
  ] as const)("says so in %s and names what to do", async (_, call) => {
    const failure = await Effect.runPromise(Effect.flip<unknown, unknown, never>(call()))
    expect(failure).toMatchObject({ _tag: "ProviderUnavailableError", provider: "keychain", reason: "no_keychain" })
    expect(failure).toHaveProperty("message", expect.stringMatching(/D-Bus session.*encryptedFileProvider/))
    new CanaryScanner([secret]).expectNone(failure, "the error")
  })

  it("is closed like any other", async () => {
    await Effect.runPromise(provider.close!())
    const failure = await Effect.runPromise(Effect.flip(provider.get("alpha")))
    expect(failure).toMatchObject({ _tag: "ProviderUnavailableError", reason: "closed" })
  })
})
