/**
 * What a provider does with items when nothing goes wrong: it reads, writes, deletes and lists exactly what it was given,
 * under exactly the id it was given, whatever either looks like.
 */
import * as assert from "node:assert/strict"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import { canary, CanaryScanner } from "./canary.ts"
import { settled, succeeding } from "./ContractCase.ts"
import { hostileIds, hostileValues, lookAlikeIds, malformedTexts } from "./hostileText.ts"
import { type ProviderSuite, shown } from "./providerProbe.ts"

/** Adds the cases about what the provider says it is. */
export const addShapeCases = ({ can, test }: ProviderSuite): void => {
  test("has a key that can be registered", async ({ provider }) => {
    assert.equal(typeof provider.key, "string")
    assert.match(provider.key, /^\S+$/, "The key is empty or holds space.")
  })

  test("says truthfully whether it can be written, listed and closed", async ({ provider }) => {
    assert.equal(provider.writable, can.writable)
    const canWrite = provider.set !== undefined && provider.delete !== undefined
    if (can.writable) assert.ok(canWrite, "A writable provider needs set and delete.")
    assert.equal(provider.list !== undefined, can.listable)
    assert.equal(provider.close !== undefined, can.closable)
    if (provider.timeoutMs !== undefined) assert.ok(provider.timeoutMs > 0, "A limit is a positive number.")
  })
}

/** Adds the cases about reading. */
export const addReadCases = ({ test }: ProviderSuite): void => {
  test("reads what was stored, wrapped in Redacted", async (probe) => {
    const [id, secret] = [probe.id("alpha"), canary("read")]
    await probe.put(id, secret)
    const value = await succeeding(probe.provider.get(id), "get")
    assert.ok(Redacted.isRedacted(value), "get() must answer with a Redacted.")
    new CanaryScanner([secret]).expectNone(value, "the wrapped value")
    await probe.expectStored(id, secret)
  })

  test("answers undefined for an id it does not know", async (probe) => {
    await probe.put(probe.id("alpha"), "the only item")
    await probe.expectMissing(probe.id("beta"))
    await probe.expectMissing(probe.id("alpha1"))
  })

  test("answers the same however often and however many ask at once", async (probe) => {
    const id = probe.id("alpha")
    await probe.put(id, "asked often")
    const answers = await Promise.all(Array.from({ length: 32 }, () => probe.read(id)))
    assert.deepEqual(new Set(answers), new Set(["asked often"]))
  })

  test("keeps several items apart", async (probe) => {
    const labels = ["alpha", "beta", "gamma", "delta"]
    for (const label of labels) await probe.put(probe.id(label), `secret of ${label}`)
    for (const label of labels) await probe.expectStored(probe.id(label), `secret of ${label}`)
  })

  test("still answers after being told to forget what it cached", async (probe) => {
    const id = probe.id("alpha")
    await probe.put(id, "kept")
    await probe.expectStored(id, "kept")
    for (const known of [id, probe.id("beta")]) {
      await succeeding(probe.provider.invalidate?.(known) ?? Effect.void, "invalidate")
    }
    await probe.expectStored(id, "kept")
  })
}

/** Adds the cases about writing and deleting. */
export const addWriteCases = ({ can, test }: ProviderSuite): void => {
  if (!can.writable) return

  test("overwrites in place", async (probe) => {
    const id = probe.id("alpha")
    for (const value of ["first", "a second value that is longer", "3", "first"]) {
      await probe.write(id, value)
      await probe.expectStored(id, value)
    }
  })

  test("deletes, and deleting again succeeds", async (probe) => {
    const id = probe.id("alpha")
    await probe.write(id, "short-lived")
    for (let round = 0; round < 2; round++) {
      await probe.remove(id)
      await probe.expectMissing(id)
    }
  })

  test("deletes what was never there without complaint", async (probe) => {
    await probe.remove(probe.id("never"))
    await probe.expectMissing(probe.id("never"))
  })

  test("stores again after a delete", async (probe) => {
    const id = probe.id("alpha")
    await probe.write(id, "before")
    await probe.remove(id)
    await probe.write(id, "after")
    await probe.expectStored(id, "after")
  })

  test("leaves other items alone when one is overwritten or deleted", async (probe) => {
    await probe.write(probe.id("alpha"), "stays")
    await probe.write(probe.id("beta"), "changes")
    await probe.write(probe.id("beta"), "changed")
    await probe.write(probe.id("gamma"), "goes")
    await probe.remove(probe.id("gamma"))
    await probe.expectStored(probe.id("alpha"), "stays")
    await probe.expectStored(probe.id("beta"), "changed")
    await probe.expectMissing(probe.id("gamma"))
  })

  test("writes and deletes when an effect runs, not when it is made, and each time it runs", async (probe) => {
    const id = probe.id("alpha")
    const write = probe.set(id, "written")
    await probe.expectMissing(id)
    await succeeding(write, "set")
    const remove = probe.delete(id)
    await probe.expectStored(id, "written")
    await succeeding(remove, "delete")
    await probe.expectMissing(id)
    await succeeding(write, "the same set again")
    await probe.expectStored(id, "written")
  })
}

/** Adds the cases about ids that careless code bends, merges or trips over. */
export const addIdCases = ({ can, test }: ProviderSuite): void => {
  test("knows none of the ids that break careless code", async (probe) => {
    await probe.put(probe.id("alpha"), "the only item")
    for (const { text } of [...hostileIds, ...malformedTexts]) await probe.expectMissing(text)
  })

  for (const { kind, text: id } of hostileIds) {
    if (can.holdsId(id)) {
      test(`keeps an item whose id is ${kind}`, async (probe) => {
        await probe.put(id, "under a hostile id")
        await probe.expectStored(id, "under a hostile id")
        if (can.listable)
          assert.ok(
            (await probe.list()).some((item) => item.id === id),
            "list() does not show it.",
          )
        if (!can.writable) return
        await probe.remove(id)
        await probe.expectMissing(id)
      })
    } else if (can.writable) {
      test(`refuses to store under an id that is ${kind}`, (probe) => probe.expectRefused(id, canary("refused")))
    }
  }

  for (const { kind, ids } of lookAlikeIds) {
    const held = ids.filter((id) => can.holdsId(id))
    if (held.length === 0) continue
    test(`keeps ids apart that differ only by ${kind}`, async (probe) => {
      const expectOnly = async (stored: ReadonlyArray<string>): Promise<void> => {
        for (const id of ids) {
          if (stored.includes(id)) await probe.expectStored(id, `value of ${ids.indexOf(id)}`)
          else await probe.expectMissing(id)
        }
      }
      for (const [index, id] of held.entries()) {
        await probe.put(id, `value of ${ids.indexOf(id)}`)
        await expectOnly(held.slice(0, index + 1))
      }
      if (!can.writable) return
      for (const [index, id] of held.entries()) {
        await probe.remove(id)
        await expectOnly(held.slice(index + 1))
      }
    })
  }

  if (!can.writable) return
  test("keeps ids apart that are not well-formed UTF-16, or refuses them", async (probe) => {
    const kept: Array<string> = []
    for (const id of [...malformedTexts.map(({ text }) => text), "\ufffd"]) {
      await probe.expectMissing(id)
      const exit = await settled(probe.set(id, `value ${kept.length}`), "set under a malformed id")
      if (Exit.isSuccess(exit)) kept.push(id)
      else assert.equal(probe.expectTyped(exit, "set")._tag, "ProviderDeniedError")
    }
    for (const [index, id] of kept.entries()) await probe.expectStored(id, `value ${index}`)
  })
}

/** Adds the cases about values that codecs alter. */
export const addValueCases = ({ can, test }: ProviderSuite): void => {
  for (const { kind, text: value } of hostileValues) {
    if (can.holdsValue(value)) {
      test(`gives back ${kind} exactly`, async (probe) => {
        await probe.put(probe.id("alpha"), value)
        await probe.expectStored(probe.id("alpha"), value)
      })
    } else if (can.writable) {
      test(`refuses ${kind} rather than altering it`, async (probe) => {
        await probe.write(probe.id("alpha"), "the former value")
        await probe.expectRefused(probe.id("alpha"), value)
        await probe.expectRefused(probe.id("beta"), value)
      })
    }
  }

  for (const { kind, text } of malformedTexts) {
    const value = `a secret of its own: ${text}`
    if (can.writable) {
      test(`keeps or refuses ${kind}, and never alters it`, async (probe) => {
        const id = probe.id("alpha")
        await probe.write(id, "the former value")
        const exit = await settled(probe.set(id, value), "set of malformed text")
        const outcome = Exit.isSuccess(exit) ? "kept" : "refused"
        assert.equal(outcome, can.malformedValues ?? outcome)
        if (outcome === "kept") return probe.expectStored(id, value)
        await probe.expectStored(id, "the former value")
        await probe.expectRefused(id, value)
      })
    } else if (can.malformedValues === "kept") {
      test(`gives back ${kind} exactly`, async (probe) => {
        await probe.put(probe.id("alpha"), value)
        await probe.expectStored(probe.id("alpha"), value)
      })
    }
  }
}

/** Adds the cases about the list that a person picks from. */
export const addListCases = ({ can, test }: ProviderSuite): void => {
  if (!can.listable) return

  test("lists each item once, in a stable order, by an id that reads", async (probe) => {
    const ids = ["delta", "alpha", "gamma", "beta"].map((label) => probe.id(label))
    for (const id of ids) await probe.put(id, `secret under ${id}`)
    const items = await probe.list()
    for (const { id, name } of items) {
      assert.ok(typeof id === "string" && typeof name === "string", "An item has a textual id and name.")
      assert.ok((await probe.read(id)) !== undefined, `list() shows ${shown(id)}, which get() does not find.`)
    }
    for (const id of ids) {
      assert.equal(items.filter((item) => item.id === id).length, 1, `list() does not show ${shown(id)} exactly once.`)
    }
    assert.deepEqual(await probe.list(), items, "The order changed between two calls.")
    if (!can.writable) return
    const [, , gamma = ""] = ids
    await probe.write(gamma, "overwritten")
    assert.deepEqual(await probe.list(), items, "Overwriting an item changed the list.")
    await probe.remove(gamma)
    const left = items.filter(({ id }) => id !== gamma)
    assert.deepEqual(await probe.list(), left, "Deleting an item changed more than its line of the list.")
  })

  test("shows no secret in its list", async (probe) => {
    const secrets = ["alpha", "beta"].map((label) => ({ id: probe.id(label), value: canary(label) }))
    for (const { id, value } of secrets) await probe.put(id, value)
    new CanaryScanner(secrets.map(({ value }) => value)).expectNone(await probe.list(), "the list")
  })
}
