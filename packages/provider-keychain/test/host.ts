/** A host for a test: stores one item under the service it is given and ends without closing anything. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { keychainProvider } from "../src/index.ts"

const provider = keychainProvider({ service: process.argv[2] })
await Effect.runPromise(provider.set?.("from a host", Redacted.make("value")) ?? Effect.void)
console.log("stored")
