/**
 * Addresses as names that every model's API takes: a letter or `_` first, then letters, digits, `_` and `-`, at most 64 characters.
 */
import { createHash } from "node:crypto"

/**
 * One name for each address, in the same order, all different.
 *
 * `tools.github.org.main.repos.get` becomes `github_org_main_repos_get`. A name depends on its address only, and on whether another
 * address would get the same one: then, and where it is too long, it ends in a fingerprint of its address.
 */
export const modelToolNames = (addresses: ReadonlyArray<string>): ReadonlyArray<string> => {
  const plain = addresses.map(plainName)
  const counts = new Map<string, number>()
  for (const name of plain) counts.set(name, (counts.get(name) ?? 0) + 1)
  return addresses.map((address, index) => {
    const name = plain[index] ?? ""
    return name.length <= longestName && counts.get(name) === 1
      ? name
      : `${name.slice(0, longestName - fingerprintLength - 1)}_${fingerprint(address)}`
  })
}

const longestName = 64
const fingerprintLength = 12

const plainName = (address: string): string => {
  const name = address.replace(/^tools\./, "").replaceAll(/[^A-Za-z0-9_-]/g, "_")
  return /^[A-Za-z_]/.test(name) ? name : `_${name}`
}

const fingerprint = (address: string): string =>
  createHash("sha256").update(address).digest("hex").slice(0, fingerprintLength)
