/** The page of events is complete: every type of `ExecutorEvent` is listed, and nothing that is none. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"

const workspace = join(import.meta.dirname, "../../..")
const read = (path: string): string => readFileSync(join(workspace, path), "utf8")

const typed = [
  ...read("packages/core/src/executor/ExecutorEvent.ts").matchAll(/readonly type:\s*((?:\s*\|?\s*"[a-z_.]+")+)/g),
].flatMap(([, union = ""]) => [...union.matchAll(/"([a-z_.]+)"/g)].map(([, type = ""]) => type))

const listed = read("docs/reference/events.md")
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`([a-z_.]+)`/g)].map(([, type = ""]) => type))

it("docs/reference/events.md lists every type of event once, and no other", () => {
  expect(typed).toContain("tool.called")
  expect(listed.toSorted()).toEqual([...new Set(typed)].toSorted())
})
