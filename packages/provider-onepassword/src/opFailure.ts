/**
 * Turns what `op` answered into a typed failure with a next step, one reason per thing a person would do differently.
 *
 * Pure. Reads the exit status and the `[ERROR]` line, whose wording was recorded from op 2.18 to 2.34, and repeats none
 * of it: it may quote what a person stored. Names in quotes are taken out first, so that an item called
 * "not signed in" is not mistaken for the message.
 */
import {
  ProviderDeniedError,
  type ProviderError,
  ProviderTimeoutError,
  ProviderUnavailableError,
} from "@keyward/core/effect"

/** The provider's key, which every error of it names. */
export const providerKey = "1password"

/** A failure after which trying again is worthwhile. `nextStep` is a sentence for a person. */
export const unavailable = (reason: string, nextStep: string, retryAfterMs?: number): ProviderUnavailableError =>
  new ProviderUnavailableError({
    provider: providerKey,
    reason,
    nextStep,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })

/** A failure that stays until somebody changes something. */
export const denied = (reason: string, nextStep: string): ProviderDeniedError =>
  new ProviderDeniedError({ provider: providerKey, reason, nextStep })

/** `op` did not finish in time and was killed. */
export const timedOut = (timeoutMs: number): ProviderTimeoutError =>
  new ProviderTimeoutError({ provider: providerKey, timeoutMs })

/** The provider was closed with its executor. */
export const closed = (): ProviderUnavailableError =>
  unavailable("closed", "The executor that owned it was closed; create a new one.")

/** An id in quotes for a message, JSON-escaped and cut at 120 characters. */
export const quoted = (id: string): string => JSON.stringify(id.length > 120 ? `${id.slice(0, 120)}…` : id)

/** What a failed run is judged by. */
export interface FailedRun {
  readonly exitCode: number | null
  readonly stderr: string
  /** What was asked for, already quoted, for instance `"op://Agents/GitHub/token"`. */
  readonly subject: string
  /** Whether a service account token or a Connect server was used, so that no person can help by unlocking. */
  readonly isUnattended: boolean
}

/** The typed failure of a run that exited with anything but 0. */
export const classify = (run: FailedRun): ProviderError => {
  const message = decisiveText(run.stderr)
  const row = rows.find(({ pattern }) => pattern.test(message))
  if (row !== undefined) return row.failure(run, message)
  if (run.exitCode === null) {
    return unavailable("killed", "`op` was ended by a signal before it had answered. Try again.")
  }
  return unavailable(
    "failed",
    `\`op\` exited with status ${run.exitCode} and a message Keyward does not know, which is not repeated here because it may hold a secret. Run \`op vault list\` in a terminal to see what is wrong.`,
  )
}

/** Whether a failure may come from a CLI that is too old to know what it was asked. */
export const mayBeTooOld = (failure: ProviderError, isUnattended: boolean): boolean =>
  failure._tag === "ProviderUnavailableError" &&
  (failure.reason === "failed" || (failure.reason === "not_signed_in" && isUnattended))

/**
 * Judges the output of `op --version`: `undefined` when that version will do or cannot be read.
 *
 * Version 2 speaks the commands used here; service accounts came with 2.18.
 */
export const versionFailure = (output: string, isUnattended: boolean): ProviderDeniedError | undefined => {
  const version = /^(\d{1,4})\.(\d{1,4})\./.exec(output.trim())
  if (version === null) return undefined
  const [major, minor] = [Number(version[1]), Number(version[2])]
  if (major > 2 || (major === 2 && (minor >= 18 || !isUnattended))) return undefined
  return denied(
    "too_old",
    `The 1Password CLI is version ${major}.${minor}. Update it to 2.18 or newer (\`op update\`, or your package manager).`,
  )
}

interface Row {
  readonly pattern: RegExp
  readonly failure: (run: FailedRun, message: string) => ProviderError
}

const rows: ReadonlyArray<Row> = [
  {
    pattern: /\(429\)|too many requests|rate.limited/i,
    failure: (_, message) =>
      unavailable(
        "rate_limited",
        "1Password's limit for this account or service account is used up. Wait, read less often, or raise the limit (`op service-account ratelimit` shows it).",
        waitOf(message) ?? defaultRateLimitWaitMs,
      ),
  },
  {
    pattern: /\(409\)|\bconflict\b/i,
    failure: () => unavailable("conflict", "1Password was changing the vault at the same time. Try again."),
  },
  {
    pattern: /prompt dismissed|authorization (was )?denied|authorization timeout|cancell?ed by user|user cancell?ed/i,
    failure: () =>
      unavailable(
        "prompt_dismissed",
        "The unlock prompt of 1Password was dismissed. Unlock the 1Password app, then try again; nobody is asked anew for a minute.",
        promptPauseMs,
      ),
  },
  {
    pattern: /service account deleted|token (was |has been )?(revoked|deleted|expired)/i,
    failure: () =>
      denied(
        "revoked",
        "The service account or its token was deleted. Create a new token and pass it as `serviceAccountToken`.",
      ),
  },
  {
    pattern: /service account token set, but not authenticated/i,
    failure: () =>
      unavailable(
        "not_authenticated",
        "The service account token is set and 1Password has not accepted it yet. Try again; if it stays, create a new token.",
      ),
  },
  {
    pattern: /not (currently )?signed in|session expired|no accounts? (configured|found)|found no accounts?/i,
    failure: ({ isUnattended }) =>
      unavailable(
        "not_signed_in",
        isUnattended
          ? "`op` is not signed in although a token is set. Check the token and that `op` is version 2.18 or newer."
          : "`op` is not signed in. Run `op signin`, turn on the app integration, or pass `serviceAccountToken`; check `account` if you named one.",
      ),
  },
  {
    pattern: /\b(desktop|1password) app\b|native messaging/i,
    failure: () =>
      unavailable(
        "app_unreachable",
        "The 1Password app does not answer the CLI. Start and unlock it, and turn on Settings → Developer → Integrate with 1Password CLI.",
      ),
  },
  {
    pattern: /\blocked\b/i,
    failure: () => unavailable("locked", "1Password is locked. Unlock the app, then try again."),
  },
  {
    pattern: /isn't a vault/i,
    failure: ({ subject }) =>
      denied(
        "vault_not_found",
        `There is no such vault for ${subject}, or it is not shared with this account. Check its name or id and who may read it.`,
      ),
  },
  {
    pattern: /isn't an item/i,
    failure: ({ subject }) => itemNotFound(subject),
  },
  {
    pattern: /doesn't have a field|isn't a field/i,
    failure: ({ subject }) => fieldNotFound(subject),
  },
  {
    pattern: /more than one (item|vault|field) matches/i,
    failure: ({ subject }) =>
      denied(
        "ambiguous",
        `More than one vault or item is called that in ${subject}. Use its 26-character id instead of its name.`,
      ),
  },
  {
    pattern: /\(40[13]\)|forbidden|unauthorized|isn't authorized|aren't authorized/i,
    failure: ({ subject }) =>
      denied(
        "forbidden",
        `This account may not read ${subject}. Give it access to the vault, or use another account or token.`,
      ),
  },
  {
    pattern: /^panic:|^goroutine \d/m,
    failure: ({ isUnattended }) =>
      isUnattended
        ? denied(
            "token_invalid",
            "`op` crashed, as it does on a damaged token. Copy the service account token anew, whole and without line breaks.",
          )
        : unavailable("crashed", "`op` crashed. Update it, then try again."),
  },
  {
    pattern: /piped input|from template and stdin/i,
    failure: () =>
      unavailable("input_rejected", "`op` read its standard input although it is closed. Update the 1Password CLI."),
  },
  {
    pattern: /specify a vault|vault (flag|query) (is )?(required|must)/i,
    failure: () =>
      denied("vault_required", "The service account sees several vaults, so `op` wants one named. Pass `vaults`."),
  },
  {
    pattern: /dial tcp|no such host|network is unreachable|connection (refused|timed out)|i\/o timeout/i,
    failure: () =>
      unavailable("offline", "1Password cannot be reached from here. Check the network and the proxy, then try again."),
  },
]

/** No item of that name or id. */
export const itemNotFound = (subject: string): ProviderDeniedError =>
  denied(
    "item_not_found",
    `There is no such item for ${subject}. Check its title or id, the vault, and that it is not archived.`,
  )

/** The item has no such field. */
export const fieldNotFound = (subject: string): ProviderDeniedError =>
  denied("field_not_found", `The item has no such field for ${subject}. Check its label or id, and its section.`)

/** How long a rate limit holds when `op` does not say, in milliseconds. */
const defaultRateLimitWaitMs = 60_000

/** How long nobody is asked again after having dismissed the prompt, in milliseconds. */
const promptPauseMs = 60_000

const unitMs: Readonly<Record<string, number>> = { second: 1_000, minute: 60_000, hour: 3_600_000 }

const waitOf = (message: string): number | undefined => {
  const wait = /retry in (\d{1,5}) (second|minute|hour)s?/i.exec(message)
  return wait === null ? undefined : Number(wait[1]) * (unitMs[(wait[2] ?? "").toLowerCase()] ?? 0)
}

/** The `[ERROR]` line, else all of it, with quoted names and leading warnings taken out. */
const decisiveText = (stderr: string): string => {
  const error = stderr.split(/\r?\n/).find((line) => line.startsWith("[ERROR]"))
  return (error ?? stderr).replace(/"[^"\n]*"/g, '""')
}
