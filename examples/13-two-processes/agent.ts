/** One of the processes: calls the tool as often as it is told, all at once, and says what came of it. */
import { openExecutor } from "./files.ts"

const [folder = "", host = ""] = process.argv.slice(2)
const executor = await openExecutor(folder, host)

process.on("message", (times: number) => {
  void Promise.all(Array.from({ length: times }, () => executor.execute("tools.files.user.main.whoami"))).then(
    (results) => process.send?.(results.map((result) => (result.ok ? "ok" : result.error.code))),
  )
})
process.once("disconnect", () => void executor.close())
process.send?.("ready")
