/**
 * A process that keeps a tenant's tokens alive: `fork("keeperProcess.ts", [JSON.stringify(job)])`. Says `null` when it has begun, then the
 * address of each connection that it refreshed.
 */
import { type KeeperJob, openExecutor, openStore } from "./keeping.ts"

const job = JSON.parse(process.argv[2] ?? "{}") as KeeperJob

const executor = await openExecutor(openStore(job), job.host, (event) => {
  if (event.type === "credential.refreshed") process.send?.(event.connection)
})
executor.oauth.keepAlive({ everyMs: job.everyMs, concurrency: 1 })
process.send?.(null)
