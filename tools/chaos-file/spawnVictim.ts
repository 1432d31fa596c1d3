/** A spawned writer: what it acknowledged, when it first did, and its end. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** A running victim. */
export interface Victim {
  /** What it said after `ack `, in order. Complete once {@link Victim.end} has settled. */
  readonly acknowledged: ReadonlyArray<string>
  /** Settles at its first acknowledgement or its end, whichever comes first. */
  readonly isWriting: Promise<unknown>
  /** Its exit code, `null` after a signal. */
  readonly end: Promise<number | null>
  readonly kill: () => void
}

/** Starts `victim.ts`; with `step` under `killAtStep.ts`. */
export const spawnVictim = (
  jobAndArguments: ReadonlyArray<string>,
  step?: { readonly count: number; readonly moment: "before" | "half" | "after" },
): Victim => {
  const preload = step === undefined ? [] : ["--import", new URL("killAtStep.ts", import.meta.url).href]
  const flags = ["--conditions=@keyward/source", "--disable-warning=ExperimentalWarning", ...preload]
  const child = spawn(
    process.execPath,
    [...flags, fileURLToPath(new URL("victim.ts", import.meta.url)), ...jobAndArguments],
    {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, CHAOS_STEP: String(step?.count), CHAOS_MOMENT: step?.moment },
    },
  )
  const acknowledged: Array<string> = []
  const lines = createInterface({ input: child.stdout })
  lines.on("line", (line) => {
    if (line.startsWith("ack ")) acknowledged.push(line.slice(4))
  })
  const end = Promise.all([once(child, "close"), once(lines, "close")]).then(([[code]]) => code as number | null)
  return { acknowledged, isWriting: Promise.race([once(lines, "line"), end]), end, kill: () => child.kill("SIGKILL") }
}
