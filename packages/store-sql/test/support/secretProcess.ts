/**
 * A process of its own over shared secrets: `fork("secretProcess.ts", [JSON.stringify(place)])`. Answers each message with one.
 *
 * `get` reads, `set` writes so many values under so many ids, `rotate` changes the data key.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { postgresStore, sqliteStore, sqlSecretProvider } from "../../src/index.ts"
import { key } from "./secretKey.ts"

export type SecretPlace = { readonly filename: string } | { readonly connectionString: string; readonly schema: string }

export type SecretMessage =
  | { readonly type: "get"; readonly id: string }
  | { readonly type: "set"; readonly prefix: string; readonly ids: number; readonly rounds: number }
  | { readonly type: "rotate" }

const place = JSON.parse(process.argv[2] ?? "{}") as SecretPlace
const provider = sqlSecretProvider({ store: "filename" in place ? sqliteStore(place) : postgresStore(place), key })

const answer = async (message: SecretMessage): Promise<unknown> => {
  switch (message.type) {
    case "get": {
      const found = await Effect.runPromise(provider.get(message.id))
      return found && Redacted.value(found)
    }
    case "set":
      for (let round = 1; round <= message.rounds; round++) {
        for (let id = 0; id < message.ids; id++) {
          await Effect.runPromise(provider.set(`${message.prefix}${id}`, Redacted.make(`value ${round}`)))
        }
      }
      return "set"
    case "rotate":
      await provider.rotateDataKey()
      return "rotated"
  }
}

process.on("message", (message: SecretMessage) => {
  answer(message).then(
    (value) => process.send?.({ value: value ?? null }),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
process.send?.({ value: "started" })
