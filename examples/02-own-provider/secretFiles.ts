/**
 * A credential provider of one's own: secrets mounted as files, one file per secret, as container platforms mount them.
 *
 * All that a provider's author writes is in this file. The rules behind each line are in docs/guides/write-a-provider.md.
 */
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { type CredentialProvider, credentialProvider, ProviderDeniedError } from "@keyward/core"

/** Options of {@link secretFilesProvider}. */
export interface SecretFilesOptions {
  /** The folder that holds the files, such as `/run/secrets`. */
  readonly folder: string
  /** Default: `"secret-files"`. */
  readonly key?: string
}

/** Whether an id can be a file of the folder: a plain name, so that no id leads out of it. */
export const isSecretFileName = (id: string): boolean => /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,252}$/.test(id)

/**
 * A read-only, listable provider. An id is the name of a file; its whole content is the secret, as it is.
 *
 * A file that is there and cannot be read is an error, never "missing": `ProviderDeniedError` with the reason `unreadable`
 * or `not_utf8`.
 */
export const secretFilesProvider = ({ folder, key = "secret-files" }: SecretFilesOptions): CredentialProvider => {
  const names = async (): Promise<ReadonlyArray<string>> => (await readdir(folder)).filter(isSecretFileName).sort()
  return credentialProvider({
    key,
    get: async (id, { signal }) => {
      // Asking the folder, not the file: a file system that ignores case would answer for another id.
      if (!isSecretFileName(id) || !(await names()).includes(id)) return undefined
      const bytes = await readFile(join(folder, id), { signal }).catch(() => {
        throw new ProviderDeniedError({
          provider: key,
          reason: "unreadable",
          nextStep: "Give this process permission to read the file, and check that it is a file.",
        })
      })
      return decode(bytes) ?? denyBytes(key)
    },
    list: async () => (await names()).map((name) => ({ id: name, name })),
  })
}

const decode = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

const denyBytes = (key: string): never => {
  throw new ProviderDeniedError({
    provider: key,
    reason: "not_utf8",
    nextStep: "Write the secret as text, for instance as the base64 of its bytes.",
  })
}
