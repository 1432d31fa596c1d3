/**
 * The suite's own command line.
 */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"

/** What came of a command. */
export interface SuiteAnswer {
  readonly isSuccess: boolean
  readonly stdout: string
  readonly stderr: string
}

const program = fileURLToPath(import.meta.resolve("@modelcontextprotocol/conformance/dist/index.js"))

/** Runs a command of the suite; never rejects. */
export const runSuite = (args: ReadonlyArray<string>, environment: NodeJS.ProcessEnv = {}): Promise<SuiteAnswer> =>
  new Promise((resolve) => {
    const options = { env: { ...process.env, ...environment }, maxBuffer: 64 * 1024 * 1024 }
    execFile(process.execPath, [program, ...args], options, (error, stdout, stderr) =>
      resolve({ isSuccess: error === null, stdout, stderr }),
    )
  })
