/** A folder for one case's files, which goes with it. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Folder extends Disposable {
  readonly path: string
  file(name: string): string
}

export const makeFolder = (): Folder => {
  const path = mkdtempSync(join(tmpdir(), "keyward-store-"))
  return {
    path,
    file: (name) => join(path, name),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  }
}
