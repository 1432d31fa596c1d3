/**
 * Bytes that are on the disk when the call returns: appending in place, and replacing a whole file in one step.
 *
 * Called by `Vault` under the lock. Writes are synchronous, because they only reach the page cache; waiting for the disk
 * is not, so that the event loop goes on.
 */
import {
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fdatasync,
  fsync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs"
import { dirname } from "node:path"
import { setImmediate as nextTurn } from "node:timers/promises"

/** Names of the files beside a vault. */
export const companions = (
  path: string,
): { readonly lock: string; readonly next: string; readonly previous: string } => ({
  lock: `${path}.lock`,
  next: `${path}.next`,
  previous: `${path}.previous`,
})

/** Writes all of `bytes` at `position`. */
export const writeAt = (fd: number, bytes: Uint8Array, position: number): void => {
  for (let written = 0; written < bytes.length;) {
    written += writeSync(fd, bytes, written, bytes.length - written, position + written)
  }
}

/** Waits until what was written to the file is on the disk. */
export const durable = (fd: number): Promise<void> => settledBy((done) => fdatasync(fd, done))

/**
 * Replaces `path` by a file of these chunks, mode 0600. Until the rename nothing is changed; after it everything is.
 *
 * The file that was there stays as the previous generation, unless `keepPrevious` is false: then no previous generation
 * is left, and it is gone before the new file appears.
 */
export const replaceFile = async (
  path: string,
  chunks: ReadonlyArray<Uint8Array>,
  { keepPrevious }: { readonly keepPrevious: boolean },
): Promise<void> => {
  const { next, previous } = companions(path)
  rmSync(next, { force: true })
  const fd = openSync(
    next,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0),
    0o600,
  )
  try {
    fchmodSync(fd, 0o600)
    let position = 0
    for (const chunk of chunks) {
      writeAt(fd, chunk, position)
      position += chunk.length
      await nextTurn()
    }
    await settledBy((done) => fsync(fd, done))
  } catch (thrown) {
    closeSync(fd)
    rmSync(next, { force: true })
    throw thrown
  }
  closeSync(fd)
  rmSync(previous, { force: true })
  if (keepPrevious) keep(path, previous)
  else await syncFolder(dirname(path))
  renameSync(next, path)
  await syncFolder(dirname(path))
}

const keep = (path: string, previous: string): void => {
  try {
    linkSync(path, previous)
  } catch (thrown) {
    if (isMissing(thrown)) return
    copyFileSync(path, previous, constants.COPYFILE_EXCL)
  }
}

const syncFolder = async (folder: string): Promise<void> => {
  if (process.platform === "win32") return
  const fd = openSync(folder, constants.O_RDONLY)
  try {
    await settledBy((done) => fsync(fd, done))
  } finally {
    closeSync(fd)
  }
}

const isMissing = (thrown: unknown): boolean => thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT"

const settledBy = (start: (done: (error: Error | null) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    start((error) => (error === null ? resolve() : reject(error)))
  })
