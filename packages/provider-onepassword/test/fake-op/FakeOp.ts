/**
 * Sets the fake `op` up for a test, an example or the benchmark: a folder of its own with the account it plays, a link to
 * the program, and the journal of what it saw.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A field as `op item get` prints it. */
interface FakeField {
  readonly id: string
  readonly type?: string
  readonly purpose?: string
  readonly label?: string
  readonly value?: string
  readonly totp?: string
  readonly reference?: string
  readonly section?: { readonly id: string; readonly label?: string }
  readonly ssh_formats?: { readonly openssh: { readonly value: string } }
}

export interface FakeVault {
  readonly id: string
  readonly name: string
}

export interface FakeItem {
  readonly id: string
  readonly title: string
  readonly category: string
  readonly vault: { readonly id: string; readonly name?: string }
  readonly fields: ReadonlyArray<FakeField>
  readonly files?: ReadonlyArray<{ readonly id: string; readonly name: string; readonly size: number }>
  /** A website by which `op` finds the item too. */
  readonly domain?: string
}

/** What the program does instead of answering, when every word of `when` is among its arguments. */
interface FakeRule {
  readonly when: ReadonlyArray<string>
  /** How many processes follow the rule; the others go on to the next. Default: all. */
  readonly times?: number
  readonly stdout?: string
  readonly stderr?: string
  /** Absent: the program answers as usual after what it printed. */
  readonly exit?: number
  readonly delayMs?: number
  readonly hangs?: boolean
  readonly ignoresSigterm?: boolean
  /** `group`: a child of the same process group; `daemon`: one that left it. Both keep the output open. */
  readonly startsChild?: "group" | "daemon"
  readonly printsBytes?: number
  readonly diesBySignal?: NodeJS.Signals
}

export interface FakeAccount {
  readonly version: string
  readonly lineEnds: "LF" | "CRLF"
  readonly vaults: ReadonlyArray<FakeVault>
  readonly items: ReadonlyArray<FakeItem>
  readonly rules: ReadonlyArray<FakeRule>
}

/** One process as the journal shows it. */
export interface JournalEntry {
  readonly pid: number
  readonly argv: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly stdin: string
  readonly stdinText: string | null
  /** The process it started, if a rule told it to. */
  readonly child: number | undefined
  /** Whether it ended by itself. */
  readonly hasEnded: boolean
}

interface JournalEvent extends Omit<JournalEntry, "hasEnded" | "child"> {
  readonly event: "start" | "child" | "end"
  readonly child: number
}

/** The vault `Agents` that most tests read from. */
export const agents: FakeVault = { id: "gshlsjsajnawtnjynzgwmiebge", name: "Agents" }

/** An item of category LOGIN in {@link agents}, unless told otherwise. */
export const loginItem = (title: string, password: string, changes: Partial<FakeItem> = {}): FakeItem => ({
  id: itemId(title),
  title,
  category: "LOGIN",
  vault: agents,
  fields: [
    { id: "username", type: "STRING", purpose: "USERNAME", label: "username", value: "robot" },
    { id: "password", type: "CONCEALED", purpose: "PASSWORD", label: "password", value: password },
  ],
  ...changes,
})

/** An id as 1Password makes them, the same for the same title. */
export const itemId = (title: string): string =>
  [...Buffer.from(title.padEnd(26, "2")).subarray(0, 26)]
    .map((byte) => "abcdefghijklmnopqrstuvwxyz234567"[byte % 32])
    .join("")

/** The fake and its account; `command` is what the provider is given. */
export class FakeOp implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "keyward-fake-op-"))
  readonly command = join(this.folder, "op")
  #account: FakeAccount = { version: "2.34.1", lineEnds: "LF", vaults: [agents], items: [], rules: [] }
  #revision = 0

  constructor(account: Partial<FakeAccount> = {}) {
    symlinkSync(join(import.meta.dirname, "op"), this.command)
    this.change(account)
  }

  /** Changes the account for all processes that start from now on. */
  change(account: Partial<FakeAccount>): void {
    this.#account = { ...this.#account, ...account }
    this.#revision += 1
    writeFileSync(join(this.folder, "account.json"), JSON.stringify({ ...this.#account, revision: this.#revision }))
  }

  /** Adds or replaces an item, found by its id. */
  put(item: FakeItem): void {
    this.change({ items: [...this.#account.items.filter(({ id }) => id !== item.id), item] })
  }

  /** Every process so far, in the order of their starts. */
  journal(): ReadonlyArray<JournalEntry> {
    const events = this.events()
    return events
      .filter(({ event }) => event === "start")
      .map((start) => {
        const own = events.filter(({ pid }) => pid === start.pid)
        return {
          ...start,
          child: own.find(({ event }) => event === "child")?.child,
          hasEnded: own.some(({ event }) => event === "end"),
        }
      })
  }

  /** How many processes ran at the same time at most. */
  mostAtOnce(): number {
    let running = 0
    return this.events().reduce((most, { event }) => {
      running += event === "start" ? 1 : event === "end" ? -1 : 0
      return Math.max(most, running)
    }, 0)
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  private events(): ReadonlyArray<JournalEvent> {
    const path = join(this.folder, "journal.jsonl")
    if (!existsSync(path)) return []
    return readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as JournalEvent)
  }
}
