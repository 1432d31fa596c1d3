/**
 * A process that writes a vault until it is killed or done, and says on stdout what was acknowledged: `ack <what>`.
 *
 * `node victim.ts <path> write <name> <from> <count>` stores rising numbers under twenty ids of its own and twenty that all
 * share; `rotate` does the same and rotates the data key now and then; `story` does everything once, for `killAtStep.ts`.
 */
import { writeSync } from "node:fs"
import { encryptedFileProvider } from "@keyward/provider-encrypted-file"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { firstKey, largeValue, secondKey, SLOTS } from "./keys.ts"

const [path = "", job, name = "", from = "0", count = "0"] = process.argv.slice(2)
const provider = encryptedFileProvider({ path, key: firstKey, lockTimeoutMs: 60_000 })
const say = (what: string): void => void writeSync(1, `ack ${what}\n`)
const set = (id: string, value: string): Promise<void> => Effect.runPromise(provider.set(id, Redacted.make(value)))

if (job === "story") {
  process.emit("chaos:armed" as never)
  const steps: ReadonlyArray<readonly [string, () => Promise<void>]> = [
    ["kept", () => set("kept", "changed")],
    ["new", () => set("new", "stored")],
    ["gone", () => Effect.runPromise(provider.delete("gone"))],
    ["large", () => set("large", largeValue)],
    ["larger", () => set("large", `${largeValue}!`)],
    ["rotated", () => provider.rotateDataKey()],
    ["rekeyed", () => provider.changeKey({ key: secondKey })],
    ["last", () => set("last", "stored")],
  ]
  for (const [what, act] of steps) {
    await act()
    say(what)
  }
} else {
  const end = Number(count) === 0 ? Number.POSITIVE_INFINITY : Number(from) + Number(count)
  for (let number = Number(from); number < end; number++) {
    const id = `${name} ${number % SLOTS}`
    await set(id, String(number))
    say(`${id} ${number}`)
    if (number % 3 === 0) await set(`shared ${number % SLOTS}`, `${name} ${number}`)
    if (job === "rotate" && number % 10 === 9) await provider.rotateDataKey()
  }
}
await Effect.runPromise(provider.close())
