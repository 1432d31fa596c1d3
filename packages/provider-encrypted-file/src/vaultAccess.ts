/**
 * Opening a vault file only where nobody else can read or replace it: refuses symlinks, other owners and folders that
 * others may write; narrows permissions that are merely too wide.
 *
 * Called by `Vault` and `FileLock`. Owners and modes are checked where the system has them (not on Windows).
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  type Stats,
  statSync,
} from "node:fs"
import { dirname } from "node:path"
import { ioFailure, quoted, systemCode, UnsafeVaultError, type VaultPlace } from "./VaultError.ts"

/** Creates the folder with mode 0700 where it is missing, and checks it. */
export const prepareFolder = (place: VaultPlace): void => {
  try {
    mkdirSync(dirname(place.path), { recursive: true, mode: 0o700 })
  } catch (thrown) {
    throw ioFailure(place, "Creating the folder of", thrown)
  }
  checkFolder(place)
}

/** Opens the file for reading and, where the disk allows it, writing. `undefined` when there is none. */
export const openVault = (place: VaultPlace): number | undefined => {
  const found = lstatSync(place.path, { throwIfNoEntry: false })
  if (found === undefined) return undefined
  checkFolder(place)
  checkFile(place, place.path, found)
  const fd = openNoFollow(place)
  try {
    const opened = fstatSync(fd)
    checkFile(place, place.path, opened)
    if (hasOwners && (opened.mode & 0o077) !== 0) fchmodSync(fd, 0o600)
    return fd
  } catch (thrown) {
    closeSync(fd)
    throw thrown instanceof UnsafeVaultError ? thrown : ioFailure(place, "Narrowing the permissions of", thrown)
  }
}

/** Refuses anything but a regular file of this user. `path` may be a companion of the vault, such as its lock. */
export const checkFile = (place: VaultPlace, path: string, found: Stats): void => {
  const refuse = (what: string): never => {
    throw new UnsafeVaultError(place, what)
  }
  if (found.isSymbolicLink()) refuse(`${quoted(path)} is a symbolic link. Pass the path of the file itself.`)
  if (!found.isFile()) refuse(`${quoted(path)} is not a regular file. Pass the path of a file.`)
  if (isForeign(found)) refuse(`${quoted(path)} belongs to another user. Change its owner, or pass another path.`)
}

/** Reads `length` bytes from `position`, or fewer at the end of the file. */
export const readAt = (fd: number, position: number, length: number): Buffer => {
  const buffer = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const count = readSync(fd, buffer, filled, length - filled, position + filled)
    if (count === 0) break
    filled += count
  }
  return buffer.subarray(0, filled)
}

const checkFolder = (place: VaultPlace): void => {
  if (!hasOwners) return
  const folder = dirname(place.path)
  const found = statSync(folder, { throwIfNoEntry: false })
  if (found === undefined) return
  const refuse = (what: string, next: string): never => {
    throw new UnsafeVaultError(place, `The folder ${quoted(folder)} ${what}, who could replace the file. ${next}`)
  }
  if (found.uid !== 0 && isForeign(found)) refuse("belongs to another user", "Use a folder of your own.")
  if ((found.mode & 0o002) !== 0) refuse("may be written by every user", "Use a folder of your own: chmod 700 it.")
  if ((found.mode & 0o020) === 0) return
  if (isForeign(found)) refuse("may be written by a group", "Use a folder of your own.")
  try {
    chmodSync(folder, found.mode & 0o7755)
  } catch {
    refuse("may be written by a group", "Take that permission away: chmod g-w.")
  }
}

const openNoFollow = (place: VaultPlace): number => {
  const noFollow = constants.O_NOFOLLOW ?? 0
  try {
    return openSync(place.path, constants.O_RDWR | noFollow)
  } catch (thrown) {
    if (!["EACCES", "EROFS", "EPERM"].includes(systemCode(thrown))) throw ioFailure(place, "Opening", thrown)
  }
  try {
    return openSync(place.path, constants.O_RDONLY | noFollow)
  } catch (thrown) {
    throw ioFailure(place, "Opening", thrown)
  }
}

const hasOwners = process.platform !== "win32"

const isForeign = (found: Stats): boolean => hasOwners && found.uid !== process.geteuid?.()
