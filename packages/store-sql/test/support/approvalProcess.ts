/**
 * A process of its own whose calls a person has to approve: `fork("approvalProcess.ts", [JSON.stringify(place)])`.
 *
 * Each message holds arguments, and how often to call with them at once; it answers with what became of the calls: `ok`, or the code.
 */
import { type ApprovalPlace, approvingExecutor, deleteTool } from "./approvals.ts"

const place = JSON.parse(process.argv[2] ?? "{}") as ApprovalPlace
const executor = await approvingExecutor(place)

process.on("message", ({ args, times }: { readonly args: unknown; readonly times: number }) => {
  void Promise.all(Array.from({ length: times }, () => executor.execute(deleteTool, args))).then(
    (results) => process.send?.(results.map((result) => (result.ok ? "ok" : result.error.code))),
    (error: unknown) => process.send?.([String(error)]),
  )
})
process.send?.(["started"])
