/** The strict authorization server as the run sees it: where it is, a person who visits it, and what it has seen. */
import { type ServerProcess, startServerProcess } from "../authorization-server/serverProcess.ts"
import type { StrictServerOptions, StrictServerReport } from "./StrictServerMessages.ts"

/** A running server. */
export type StrictServer = ServerProcess<StrictServerReport>

/** Starts `strictServerProcess.ts`. */
export const strictServer = (options: StrictServerOptions): Promise<StrictServer> =>
  startServerProcess(new URL("strictServerProcess.ts", import.meta.url), options)
