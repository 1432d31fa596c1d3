/**
 * What a provider does when callers meet, give up, or outlive it, and when its backend hangs or breaks: nothing is lost,
 * nothing waits forever, and what fails says so in a typed error that holds no secret.
 */
import * as assert from "node:assert/strict"
import * as Exit from "effect/Exit"
import { ProviderTimeoutError } from "../credential/CredentialError.ts"
import { CredentialProviders } from "../credential/CredentialProviders.ts"
import { canary, CanaryScanner } from "./canary.ts"
import { interrupted, settled, succeeding } from "./ContractCase.ts"
import type { ProviderSuite } from "./providerProbe.ts"

/** Adds the cases about callers that write at the same time. */
export const addParallelCases = ({ can, test }: ProviderSuite): void => {
  if (!can.writable) return

  test("loses nothing when many write different items at once", async (probe) => {
    const items = Array.from({ length: 40 }, (_, index) => [probe.id(`item${index}`), `value ${index}`] as const)
    await Promise.all(items.map(([id, value]) => probe.write(id, value)))
    for (const [id, value] of items) await probe.expectStored(id, value)
  })

  test("holds one of the values whole while and after many write the same item at once", async (probe) => {
    const id = probe.id("alpha")
    const values = Array.from({ length: 12 }, (_, index) => `${index}:`.repeat(200 + index * 40))
    const reads = values.map(async (value) => {
      const write = probe.write(id, value)
      const found = await probe.read(id)
      await write
      return found
    })
    const seen = (await Promise.all(reads)).filter((found) => found !== undefined)
    const last = await probe.read(id)
    for (const found of [...seen, last]) {
      assert.ok(found !== undefined && values.includes(found), "A read saw a value that nobody wrote.")
    }
    assert.ok((await probe.read(id)) === last, "The value changed with nobody writing.")
  })

  test("keeps writes and deletes of different items apart when all happen at once", async (probe) => {
    const ids = Array.from({ length: 20 }, (_, index) => probe.id(`item${index}`))
    for (const id of ids) await probe.write(id, "before")
    await Promise.all(ids.map((id, index) => (index % 2 === 0 ? probe.remove(id) : probe.write(id, "after"))))
    for (const [index, id] of ids.entries()) {
      if (index % 2 === 0) await probe.expectMissing(id)
      else await probe.expectStored(id, "after")
    }
  })
}

/** Adds the cases about callers that give up and limits that pass. */
export const addCancellationCases = ({ can, test }: ProviderSuite): void => {
  test("ends when a read is interrupted, and still answers afterwards", async (probe) => {
    const id = probe.id("alpha")
    await probe.put(id, "still here")
    await Promise.all(Array.from({ length: 8 }, () => interrupted(probe.provider.get(id), "get")))
    await probe.expectStored(id, "still here")
  })

  if (can.writable) {
    test("holds the old or the new value, whole, when a write is interrupted", async (probe) => {
      const id = probe.id("alpha")
      for (let round = 0; round < 8; round++) {
        await probe.write(id, "the old value")
        const exit = await interrupted(probe.set(id, "the new value"), "set")
        const found = await probe.read(id)
        if (found !== "the old value") await probe.expectStored(id, "the new value")
        else assert.ok(Exit.isFailure(exit), "An acknowledged write was lost.")
      }
      await probe.write(id, "written afterwards")
      await probe.expectStored(id, "written afterwards")
    })
  }

  for (const call of can.stalls) {
    test(`stops waiting in ${call} when the caller gives up on a backend that hangs`, async (probe) => {
      const id = probe.id("alpha")
      await probe.put(id, "still here")
      await probe.stall()
      const stalled = probe.calls(id, "still here").find(([name]) => name === call)
      assert.ok(stalled, `The provider has no ${call}() to stall.`)
      const exit = await interrupted(stalled[1], call, new Promise((resolve) => setImmediate(resolve)))
      assert.ok(Exit.isFailure(exit), `${call} succeeded though its backend hangs.`)
      await probe.resume()
      if (call !== "delete") await probe.expectStored(id, "still here")
      await probe.put(probe.id("beta"), "written afterwards")
      await probe.expectStored(probe.id("beta"), "written afterwards")
    })

    test(`gives up ${call} at its limit when its backend hangs, and answers again later`, async (probe) => {
      const id = probe.id("alpha")
      await probe.put(id, "still here")
      await probe.stall()
      const stalled = probe.calls(id, "still here").find(([name]) => name === call)
      assert.ok(stalled, `The provider has no ${call}() to stall.`)
      const { key, writable } = probe.provider
      const impatient = { key, writable, timeoutMs: 50, get: (asked: string) => probe.provider.get(asked) }
      const limited = new CredentialProviders([impatient], 50).limited(impatient, stalled[1])
      const exit = await settled(limited, `${call} under a limit`)
      assert.ok(probe.expectTyped(exit, call) instanceof ProviderTimeoutError)
      await probe.resume()
      if (call !== "delete") await probe.expectStored(id, "still here")
    })
  }
}

/** Adds one case for each way in which the backend can be broken. */
export const addFailureCases = ({ can, test }: ProviderSuite): void => {
  for (const failure of can.failures) {
    test(`fails typed and names no secret when its backend breaks: ${failure}`, async (probe) => {
      const [id, stored, pasted] = [probe.id("alpha"), canary("stored"), canary("pasted")]
      await probe.put(id, stored)
      await probe.breakBackend(failure, id)
      const scanner = new CanaryScanner([stored, pasted])
      for (const [call, effect] of probe.calls(id, pasted)) {
        const exit = await settled(effect, call)
        assert.ok(call !== "get" || Exit.isFailure(exit), "get() answered though its backend is broken.")
        if (Exit.isFailure(exit)) scanner.expectNone(probe.expectTyped(exit, call), `the error of ${call}`)
        scanner.expectNone(exit, `the exit of ${call}`)
      }
    })
  }
}

/** Adds the cases about a provider that was closed. */
export const addClosedCases = ({ can, test }: ProviderSuite): void => {
  if (!can.closable) return

  test("fails every call as unavailable once it is closed, and names no secret", async (probe) => {
    const [id, stored, pasted] = [probe.id("alpha"), canary("stored"), canary("pasted")]
    await probe.put(id, stored)
    await probe.expectStored(id, stored)
    await succeeding(probe.close(), "close")
    const scanner = new CanaryScanner([stored, pasted])
    for (const [call, effect] of probe.calls(id, pasted)) {
      const error = probe.expectTyped(await settled(effect, call), `${call} on a closed provider`)
      assert.equal(error._tag, "ProviderUnavailableError", `${call} on a closed provider is unavailable.`)
      scanner.expectNone(error, `the error of ${call}`)
    }
  })

  test("can be closed again without harm", async (probe) => {
    await succeeding(probe.close(), "close")
    await succeeding(probe.close(), "close, repeated")
  })

  test("ends what is under way when it is closed", async (probe) => {
    const id = probe.id("alpha")
    await probe.put(id, "before")
    const running = probe.calls(id, "after").map(([call, effect]) => [call, settled(effect, call)] as const)
    await succeeding(probe.close(), "close")
    for (const [call, exit] of running) {
      const ended = await exit
      if (Exit.isFailure(ended)) probe.expectTyped(ended, call)
    }
  })
}
