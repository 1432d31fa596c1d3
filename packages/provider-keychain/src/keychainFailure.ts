/**
 * What a keychain's refusals mean, one reason per thing a person would do differently, each with a next step.
 *
 * Pure. Reads the library's message, whose wording comes from the operating system, and repeats none of it.
 */
import { ProviderDeniedError, type ProviderError, ProviderUnavailableError } from "@keyward/core/effect"

/** The provider's key, which every error of it names. */
export const providerKey = "keychain"

/** A failure after which trying again is worthwhile. */
const unavailable = (reason: string, nextStep: string): ProviderUnavailableError =>
  new ProviderUnavailableError({ provider: providerKey, reason, nextStep })

/** A failure that stays until somebody changes something. */
export const denied = (reason: string, nextStep: string): ProviderDeniedError =>
  new ProviderDeniedError({ provider: providerKey, reason, nextStep })

/** The provider was closed with its executor. */
export const closed = (): ProviderUnavailableError =>
  unavailable("closed", "The executor that owned it was closed; create a new one.")

/** The typed failure for a message of the library. */
export const classify = (message: string, platform: NodeJS.Platform): ProviderError => {
  const row = rows.find(({ pattern }) => pattern.test(message))
  return row?.failure(platform) ?? failed()
}

const failed = (): ProviderError =>
  unavailable(
    "failed",
    "The keychain raised an error, which is not repeated here because it may hold a secret. Open the keychain's own program to see what is wrong, then try again.",
  )

interface Row {
  readonly pattern: RegExp
  readonly failure: (platform: NodeJS.Platform) => ProviderError
}

const rows: ReadonlyArray<Row> = [
  {
    pattern: /native binding|cannot find module|dlopen|ERR_DLOPEN|unsupported (os|architecture|platform)/i,
    failure: (platform) =>
      unavailable(
        "not_supported",
        `The keychain library does not run on ${platform} ${process.arch}, or its optional dependency was not installed. Install again without omitting optional dependencies, or use encryptedFileProvider.`,
      ),
  },
  {
    pattern: /did not receive a reply|timed? ?out|NoReply/i,
    failure: () =>
      unavailable(
        "not_responding",
        "The keychain's service does not answer. Restart it (on GNOME: gnome-keyring-daemon), then try again.",
      ),
  },
  {
    pattern:
      /locked|prompt was dismissed|interaction is not allowed|user cancell?ed|auth(entication|orization)? (failed|was denied)/i,
    failure: () =>
      unavailable("locked", "The keychain is locked, or its prompt was dismissed. Unlock it, then try again."),
  },
  {
    pattern: /no result found|no default (collection|keychain)|default keychain could not be found/i,
    failure: () =>
      unavailable(
        "no_default_keychain",
        "There is no default keychain yet. Create one (on GNOME in Passwords and Keys; logging in to a desktop does it too), or use encryptedFileProvider.",
      ),
  },
  {
    pattern: /d-?bus|zbus|secret ?service|no such file or directory|connection refused|disconnected/i,
    failure: () =>
      unavailable(
        "no_keychain",
        "No keychain answers here: there is no D-Bus session with a Secret Service (GNOME Keyring, KWallet, KeePassXC). Start one, or use encryptedFileProvider on servers and in containers.",
      ),
  },
  {
    pattern: /utf-?8|encoding/i,
    failure: () =>
      denied("not_text", "Another program stored bytes that are not text under this id. Store the secret as text."),
  },
  {
    pattern: /longer than|too (long|large|big)|limit of \d+/i,
    failure: () =>
      denied(
        "value_too_large",
        "The id or the value is longer than this system's keychain takes. Keep it with encryptedFileProvider.",
      ),
  },
  {
    pattern: /ambiguous|more than one|multiple (entries|credentials|items)/i,
    failure: () =>
      denied(
        "ambiguous",
        "The keychain holds several entries for this id, written by another program. Delete all but one there.",
      ),
  },
  {
    pattern: /access (is )?denied|not permitted|permission/i,
    failure: () =>
      denied(
        "forbidden",
        "The system does not let this program use the entry. Allow it in the keychain's own program.",
      ),
  },
]
