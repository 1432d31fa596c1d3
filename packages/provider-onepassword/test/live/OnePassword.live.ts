/**
 * The provider on a real `op` and a real account. Not part of the normal run; `pnpm test:live` asks for
 * `KEYWARD_1PASSWORD_LIVE`, a reference to a field that may be read. Nothing that it reads is printed.
 *
 * Uses `OP_SERVICE_ACCOUNT_TOKEN` when it is set and the desktop app otherwise, which may ask to be unlocked.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { afterAll, describe, expect, it } from "vitest"
import { onePasswordProvider } from "../../src/index.ts"
import { parseSecretReference } from "../../src/SecretReference.ts"

const reference = process.env["KEYWARD_1PASSWORD_LIVE"] ?? ""
const parsed = parseSecretReference(reference)
if (parsed === undefined || "problem" in parsed || parsed.vault === null) {
  throw new Error(
    "Set KEYWARD_1PASSWORD_LIVE to a secret reference, op://vault/item/field, that this account may read.",
  )
}
const { vault, item } = parsed

describe("onePasswordProvider on a real account", () => {
  const provider = onePasswordProvider({ vaults: [vault] })
  afterAll(() => Effect.runPromise(provider.close?.() ?? Effect.void))

  const reasonOf = async (id: string): Promise<unknown> => {
    const failure = await Effect.runPromise(Effect.flip(provider.get(id)))
    return "reason" in failure ? failure.reason : failure._tag
  }

  it("reads a field", async () => {
    const value = await Effect.runPromise(provider.get(reference))
    expect(value && Redacted.value(value).length > 0).toBe(true)
  })

  it("reads it again past the CLI's cache after it was rejected", async () => {
    await Effect.runPromise(provider.invalidate?.(reference) ?? Effect.void)
    expect(await Effect.runPromise(provider.get(reference))).toBeDefined()
  })

  it("lists items by references into the vault", async () => {
    const items = await provider.items()
    for (const { id } of items) expect(parseSecretReference(id)).toHaveProperty("field", expect.any(String))
  })

  it("tells a missing item from a missing field and a missing vault", async () => {
    expect(await reasonOf(`op://${vault}/keyward live test no such item/password`)).toBe("item_not_found")
    expect(await reasonOf(`op://${vault}/${item}/keyward live test no such field`)).toBe("field_not_found")
    expect(await reasonOf("op://keyward live test no such vault/x/y")).toBe("vault_not_allowed")
  })
})
