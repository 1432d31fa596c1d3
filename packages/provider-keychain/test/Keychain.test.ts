/**
 * The provider on a real Secret Service (GNOME Keyring on a private D-Bus): the whole provider contract, and what is
 * special about keychains.
 *
 * Where the service cannot be started these tests fail in CI and are left to `KeychainAbsent.test.ts` on other machines,
 * so that a newcomer needs no system packages.
 */
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { canary, CanaryScanner, providerContract } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { keychainProvider } from "../src/index.ts"
import { describeWithSecretService, missingPackages, SecretService } from "./SecretService.ts"

const missing = missingPackages()

describe("a Secret Service to test with", () => {
  it("is there, or its absence is tested instead", () => {
    const isNeeded = process.env["CI"] === "true" && process.platform === "linux"
    expect(
      isNeeded ? missing : [],
      `CI tests the keychain for real: apt-get install -y --no-install-recommends ${missing.join(" ")}`,
    ).toEqual([])
  })
})

let service: SecretService
let services = 0

/** A service name of its own for each provider, so that no case sees the items of another. */
const freshService = (): string => `keyward test ${services++}`

/** Removes what a case left behind: the daemon rewrites its whole keyring with each change. */
const clear = (name: string): void => {
  for (const each of [name, `${name} (index)`]) {
    try {
      service.secretTool(["clear", "service", each])
    } catch {
      // Nothing was stored under it.
    }
  }
}

const read = async (provider: ReturnType<typeof keychainProvider>, id: string): Promise<string | undefined> => {
  const value = await Effect.runPromise(provider.get(id))
  return value && Redacted.value(value)
}

describeWithSecretService("a machine with a Secret Service", () => {
  beforeAll(async () => {
    service = await SecretService.start()
    Object.assign(process.env, service.environment)
  })
  afterAll(() => service[Symbol.asyncDispose]())

  describe("keychainProvider and the provider contract", () => {
    const make = () => {
      const name = freshService()
      return {
        provider: keychainProvider({ service: name }),
        stall: () => service.stop(),
        resume: () => service.continue(),
        breakBackend: (_: string, id: string) => {
          service.secretTool(["store", "--label=x", "service", name, "username", id, "target", "default"], "\xff\xfe")
        },
        dispose: () => {
          service.continue()
          clear(name)
        },
      }
    }
    const cases = providerContract(make, {
      stalls: ["get", "set", "delete", "list"],
      malformedValues: "kept",
      failures: ["another program stored bytes that are not text"],
    })
    for (const { name, run } of cases) it(name, run)
  })

  describe("keychainProvider", () => {
    it("stores ordinary ids and secrets as they are, for other programs to read", async () => {
      const name = freshService()
      const provider = keychainProvider({ service: name })
      await Effect.runPromise(provider.set!("acme/alice/connection:user:github:main:token", Redacted.make("s3cr3t")))
      const lookup = ["lookup", "service", name, "username", "acme/alice/connection:user:github:main:token"]
      expect(service.secretTool(lookup)).toBe("s3cr3t")
      await Effect.runPromise(provider.close!())
    })

    it("reads what another program stored by hand, and replaces it in place", async () => {
      const name = freshService()
      const provider = keychainProvider({ service: name })
      service.secretTool(["store", "--label=By hand", "service", name, "username", "github"], "by hand")
      expect(await read(provider, "github")).toBe("by hand")
      await Effect.runPromise(provider.set!("github", Redacted.make("replaced")))
      expect(service.secretTool(["lookup", "service", name, "username", "github"])).toBe("replaced")
      await Effect.runPromise(provider.close!())
    })

    it("keeps entries of different services apart, also when one is the beginning of the other", async () => {
      const names = ["keyward test", "keyward test a", "keyward test a (index"].map((name) => name.replace(" (", "."))
      const providers = names.map((name) => keychainProvider({ service: name }))
      for (const [index, provider] of providers.entries()) {
        await Effect.runPromise(provider.set!(`id${index}`, Redacted.make(`value ${index}`)))
      }
      for (const [index, provider] of providers.entries()) {
        expect(await Effect.runPromise(provider.list!())).toEqual([{ id: `id${index}`, name: `id${index}` }])
        expect(await read(provider, `id${(index + 1) % 3}`)).toBeUndefined()
        await Effect.runPromise(provider.close!())
      }
    })

    it("lists without a single secret leaving the keychain", async () => {
      const name = freshService()
      const provider = keychainProvider({ service: name })
      const secret = canary("listed")
      await Effect.runPromise(provider.set!("alpha", Redacted.make(secret)))
      service.secretTool(["store", "--label=x", "service", name, "username", "unreadable"], "\xff")
      expect(await Effect.runPromise(provider.list!())).toEqual([{ id: "alpha", name: "alpha" }])
      new CanaryScanner([secret]).expectNone(
        service.secretTool(["search", "--all", "service", `${name} (index)`]),
        "the index",
      )
      await Effect.runPromise(provider.close!())
    })

    it("says how large a value may be", async () => {
      const provider = keychainProvider({ service: freshService() })
      const value = "x".repeat(8 * 1024 * 1024 + 1)
      const failure = await Effect.runPromise(Effect.flip(provider.set!("large", Redacted.make(value))))
      expect(failure).toMatchObject({ _tag: "ProviderDeniedError", reason: "value_too_large" })
      expect(failure.message).toContain("takes 8388609 bytes and the Secret Service holds 8388608 per entry")
      expect(await read(provider, "large")).toBeUndefined()
      await Effect.runPromise(provider.set!("large", Redacted.make(value.slice(1))))
      expect((await read(provider, "large"))?.length).toBe(8 * 1024 * 1024)
      await Effect.runPromise(provider.delete!("large"))
      await Effect.runPromise(provider.close!())
    })

    it("answers undefined for an id that no keychain could hold, and refuses to store under it", async () => {
      const provider = keychainProvider({ service: freshService() })
      const id = "k".repeat(65_537)
      expect(await read(provider, id)).toBeUndefined()
      await Effect.runPromise(provider.delete!(id))
      const failure = await Effect.runPromise(Effect.flip(provider.set!(id, Redacted.make("x"))))
      expect(failure).toMatchObject({ _tag: "ProviderDeniedError", reason: "id_too_long" })
      await Effect.runPromise(provider.close!())
    })

    it("says that the service does not answer, and recovers when it does", async () => {
      const provider = keychainProvider({ service: freshService() })
      service.stop()
      try {
        const failure = await Effect.runPromise(Effect.flip(provider.get("asked while it hangs")))
        expect(failure).toMatchObject({ _tag: "ProviderUnavailableError", reason: "not_responding" })
      } finally {
        service.continue()
      }
      expect(await read(provider, "asked while it hangs")).toBeUndefined()
      await Effect.runPromise(provider.close!())
    })

    it("leaves the event loop alone while the service hangs", async () => {
      const provider = keychainProvider({ service: freshService() })
      service.stop()
      let turns = 0
      try {
        const asked = Effect.runPromise(Effect.flip(provider.get("asked while it hangs")))
        const counting = setInterval(() => (turns += 1), 1)
        await asked
        clearInterval(counting)
      } finally {
        service.continue()
      }
      expect(turns).toBeGreaterThan(10)
      await Effect.runPromise(provider.close!())
    })

    it("lets a process end by itself, and finishes what is under way before", async () => {
      const name = freshService()
      const host = `
        import { keychainProvider } from "@keyward/provider-keychain"
        import * as Effect from "effect/Effect"
        import * as Redacted from "effect/Redacted"
        const provider = keychainProvider({ service: ${JSON.stringify(name)} })
        await Effect.runPromise(provider.set("from a host", Redacted.make("value")))
        console.log("stored")`
      const output = execFileSync(
        process.execPath,
        ["--conditions=@keyward/source", "--input-type=module", "--eval", host],
        {
          cwd: join(import.meta.dirname, ".."),
          env: { PATH: process.env["PATH"], ...service.environment },
          encoding: "utf8",
          timeout: 15_000,
        },
      )
      expect(output).toBe("stored\n")
      expect(service.secretTool(["lookup", "service", name, "username", "from%20a%20host"])).toBe("value")
    })
  })
})
