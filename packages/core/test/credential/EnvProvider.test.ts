/** Environment variables: read-only, and only those the host allowed. */
import { execFileSync } from "node:child_process"
import { canary, CanaryScanner, providerContract } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import { afterEach, describe, expect, it } from "vitest"
import { envProvider } from "../../src/credential/EnvProvider.ts"
import { InvalidProviderOptionsError } from "../../src/credential/ProviderOptionsError.ts"

const read = async (provider: ReturnType<typeof envProvider>, id: string): Promise<string | undefined> => {
  const value = await Effect.runPromise(provider.get(id))
  return value && Redacted.value(value)
}

const prefix = "KEYWARD_TEST_ENV_"

describe("envProvider over the environment of this process", () => {
  const cases = providerContract(
    () => ({
      provider: envProvider({ allow: [`${prefix}*`] }),
      seed: (id, value) => {
        process.env[id] = value
      },
      dispose: () => {
        for (const name of Object.keys(process.env)) if (name.startsWith(prefix)) delete process.env[name]
      },
    }),
    {
      writable: false,
      closable: false,
      idOf: (label) => `${prefix}${label}`,
      acceptedIds: (id) => id.startsWith(prefix),
      acceptedValues: (value) => !value.includes("\0") && !value.includes("\ufffd"),
    },
  )
  for (const { name, run } of cases) it(name, run)
})

describe("envProvider over a record", () => {
  const cases = providerContract(
    () => {
      const env: Record<string, string> = {}
      return {
        provider: envProvider({ allow: ["alpha*", "beta", "gamma", "delta"], env }),
        seed: (id, value) => void (env[id] = value),
      }
    },
    {
      writable: false,
      closable: false,
      acceptedIds: (id) => ["alpha", "beta", "gamma", "delta"].includes(id),
      acceptedValues: (value) => !value.includes("\ufffd"),
      malformedValues: "kept",
    },
  )
  for (const { name, run } of cases) it(name, run)
})

describe("the allow-list", () => {
  it("allows exact names and prefixes, and answers for the rest as for what is not set", async () => {
    const env = {
      GITHUB_TOKEN: "1",
      GITHUB_TOKEN_2: "2",
      ACME_A: "3",
      ACME_: "4",
      ACME: "5",
      xACME_A: "6",
      acme_a: "7",
    }
    const provider = envProvider({ allow: ["GITHUB_TOKEN", "ACME_*"], env })
    const answers = await Promise.all([...Object.keys(env), "UNSET"].map(async (id) => [id, await read(provider, id)]))
    expect(Object.fromEntries(answers)).toEqual({
      GITHUB_TOKEN: "1",
      GITHUB_TOKEN_2: undefined,
      ACME_A: "3",
      ACME_: "4",
      ACME: undefined,
      xACME_A: undefined,
      acme_a: undefined,
      UNSET: undefined,
    })
    const listed = ["ACME_", "ACME_A", "GITHUB_TOKEN"].map((name) => ({ id: name, name }))
    expect(await Effect.runPromise(provider.list!())).toEqual(listed)
  })

  it("never reads outside itself, whatever is asked", async () => {
    const secret = canary("outside")
    const asked: Array<string | symbol> = []
    const env = new Proxy<Record<string, string>>(
      {},
      {
        get: (_, name) => (asked.push(name), secret),
        getOwnPropertyDescriptor: (_, name) => (
          asked.push(name),
          { value: secret, configurable: true, enumerable: true }
        ),
      },
    )
    const provider = envProvider({ allow: ["ONE", "ACME_*"], env })
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.constantFrom(
            "PATH",
            "one",
            "ONE ",
            "ONE\0",
            "ONE=",
            "ACME",
            "ACME_\0PATH",
            "ACME_=",
            "ACME_ ",
            "ACME_é",
            "__proto__",
          ),
        ),
        async (id) => {
          fc.pre(id !== "ONE" && !/^ACME_[\x21-\x7e]*$/.test(id.replaceAll(/[=*]/g, " ")))
          expect(await read(provider, id)).toBeUndefined()
          expect(await Effect.runPromise(provider.has!(id))).toBe(false)
        },
      ),
    )
    expect(asked).toEqual([])
  })

  it.each([
    ["an empty list", []],
    ["a star alone", ["*"]],
    ["an empty name", [""]],
    ["a star in the middle", ["A*B"]],
    ["two stars", ["A**"]],
    ["a name with =", ["A=B"]],
    ["a name with a space", ["A B"]],
    ["a name with a NUL", ["A\0"]],
    ["text instead of a list", "ACME_*" as unknown as ReadonlyArray<string>],
    ["something else than text", [1 as unknown as string]],
    ["nothing", undefined as unknown as ReadonlyArray<string>],
  ])("refuses %s at once, and says what to pass", (_, allow) => {
    expect(() => envProvider({ allow })).toThrow(InvalidProviderOptionsError)
    expect(() => envProvider({ allow })).toThrow(/`allow`.*(for instance|neither a variable's name nor a prefix)/)
  })
})

describe("what it reads", () => {
  afterEach(() => {
    delete process.env[`${prefix}LIVE`]
  })

  it("follows the environment as it changes", async () => {
    const provider = envProvider({ allow: [`${prefix}*`] })
    expect(await read(provider, `${prefix}LIVE`)).toBeUndefined()
    process.env[`${prefix}LIVE`] = "now"
    expect(await read(provider, `${prefix}LIVE`)).toBe("now")
  })

  it("is read when the effect runs", async () => {
    const env: Record<string, string> = {}
    const reading = envProvider({ allow: ["A"], env }).get("A")
    env["A"] = "later"
    expect(Redacted.value((await Effect.runPromise(reading))!)).toBe("later")
  })

  it("takes a variable set to nothing as here and empty", async () => {
    expect(await read(envProvider({ allow: ["A"], env: { A: "" } }), "A")).toBe("")
    expect(await read(envProvider({ allow: ["A"], env: { A: undefined } }), "A")).toBeUndefined()
  })

  it("refuses bytes that are not UTF-8 instead of passing on what Node made of them, and repeats none", async () => {
    const secret = canary("binary")
    const script = `
      import * as Effect from "effect/Effect"
      import { envProvider } from ${JSON.stringify(new URL("../../src/credential/EnvProvider.ts", import.meta.url).href)}
      const error = await Effect.runPromise(Effect.flip(envProvider({ allow: ["BINARY"] }).get("BINARY")))
      console.log(JSON.stringify(error))
    `
    const output = execFileSync(
      "/bin/sh",
      [
        "-c",
        `BINARY="$(printf '${secret}\\377')" exec "$0" "$@"`,
        process.execPath,
        "--input-type=module",
        "--eval",
        script,
      ],
      { cwd: import.meta.dirname, encoding: "utf8" },
    )
    expect(JSON.parse(output)).toMatchObject({ _tag: "ProviderDeniedError", provider: "env", reason: "not_utf8" })
    new CanaryScanner([secret]).expectNone(output, "the error")
  })

  it("goes by the key it is given", () => {
    expect(envProvider({ allow: ["A"] }).key).toBe("env")
    expect(envProvider({ allow: ["A"], key: "ci" }).key).toBe("ci")
  })
})
