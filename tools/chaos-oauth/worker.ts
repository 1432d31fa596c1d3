/** A process that uses every account once when it is told to, and says what came of it. Killed at a random moment while it does. */
import { setTimeout as delay } from "node:timers/promises"
import { accountsOf, openExecutor } from "./Accounts.ts"
import { remoteRecords } from "./RemoteRecords.ts"

const howMany = Number(process.argv[2])
const executor = await openExecutor({
  ...remoteRecords(),
  serviceOrigin: "",
  authorizationUrl: "",
  tokenUrl: "",
  visit: () => Promise.reject(new Error("A worker connects nobody.")),
})
const accounts = accountsOf(executor, howMany)

process.on("message", (message: { readonly type: string }) => {
  if (message.type !== "go") return
  void Promise.all(
    accounts.map(async ({ executor: view, address }, index) => {
      // One after another, so that the kill meets each of them at another step.
      await delay(index * 5)
      const result = await view.execute(address, {})
      return result.ok ? "ok" : `${result.error.code}: ${result.error.message}`
    }),
  ).then((outcomes) => process.send?.({ type: "done", outcomes }))
})
process.on("disconnect", () => process.exit())
process.send?.({ type: "ready" })
