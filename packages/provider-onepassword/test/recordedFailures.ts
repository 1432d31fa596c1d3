/**
 * What `op` was seen to answer when something is wrong, and the reason each becomes: the table of recordings (op 2.18 to
 * 2.34) that the fake plays. `exit` is as recorded; where nobody recorded it, 1, which `op` uses for all but panics.
 */
export interface RecordedFailure {
  /** A phrase that ends "says so when …". */
  readonly situation: string
  readonly exit: number
  readonly stderr: string
  readonly tag: "ProviderUnavailableError" | "ProviderDeniedError"
  readonly reason: string
  readonly retryAfterMs?: number
}

const error = (message: string): string => `[ERROR] 2026/11/20 12:00:00 ${message}\n`

const unavailable = (situation: string, reason: string, stderr: string, exit = 1): RecordedFailure => ({
  situation,
  exit,
  stderr,
  tag: "ProviderUnavailableError",
  reason,
})

const denied = (situation: string, reason: string, stderr: string, exit = 1): RecordedFailure => ({
  situation,
  exit,
  stderr,
  tag: "ProviderDeniedError",
  reason,
})

export const recordedFailures: ReadonlyArray<RecordedFailure> = [
  unavailable(
    "nobody is signed in",
    "not_signed_in",
    error("You are not currently signed in. Please run `op signin --help` for instructions"),
  ),
  unavailable("the account is not signed in", "not_signed_in", error("account is not signed in")),
  unavailable("the account is unknown", "not_signed_in", error('no account found for filter "nobody.1password.com"')),
  unavailable(
    "the account is unknown to a newer version",
    "not_signed_in",
    error('error initializing client: found no accounts for filter "nobody.1password.com"'),
  ),
  unavailable(
    "no account was ever added",
    "not_signed_in",
    "No accounts configured for use with 1Password CLI.\n\nYou can either:\n- turn on the 1Password app integration\n- add an account manually\n",
  ),
  unavailable("the session has expired", "not_signed_in", error("session expired, sign in to create a new session")),
  denied(
    "the item is missing",
    "item_not_found",
    error('"GitHub" isn\'t an item. Specify the item with its UUID, name, or domain.'),
  ),
  denied(
    "the item is missing from the vault",
    "item_not_found",
    error('"GitHub" isn\'t an item in the "Agents" vault. Specify the item with its UUID, name, or domain.'),
  ),
  denied(
    "the vault is missing or not shared",
    "vault_not_found",
    error('"Local" isn\'t a vault in this account. Specify the vault with its ID or name.'),
  ),
  denied(
    "two items have the same title",
    "ambiguous",
    error(
      'More than one item matches "Delete Me". Try again and specify the item by its ID: \n\t* for the item "Delete Me" in vault Agents: dmm2ybtxxjlxtv23puevxw5ydy\n\t* for the item "Delete Me" in vault Agents: vwyt5in4gempt67i7d2mpao6c4',
    ),
  ),
  denied("the field is missing", "field_not_found", error('item "GitHub" doesn\'t have a field "token"')),
  denied(
    "the service account was deleted",
    "revoked",
    error(
      "error initializing client: Authentication: (failed to session.DelegatedSession), Server: (403) (Forbidden (Service Account Deleted)), You aren't authorized to perform this action.",
    ),
  ),
  denied("reading is forbidden", "forbidden", error("(403) Forbidden: You aren't authorized to perform this action.")),
  denied(
    "reading is unauthorized",
    "forbidden",
    error("(401) Unauthorized: You aren't authorized to perform this action."),
  ),
  unavailable(
    "the service account is not authenticated yet",
    "not_authenticated",
    error("service account token set, but not authenticated yet"),
  ),
  denied(
    "the service account's token is damaged",
    "token_invalid",
    "panic: runtime error: index out of range [1] with length 1\n\ngoroutine 1 [running]:\ngo.1password.io/op/core.decode(0xc0000ac000)\n\t/build/token.go:61 +0x1d5\n",
    2,
  ),
  {
    ...unavailable(
      "the rate limit is reached",
      "rate_limited",
      error(
        "(429) Too Many Requests: You've reached the maximum number of this type of requests this service account is allowed to make. Please retry in 58 minutes or try other requests.",
      ),
    ),
    retryAfterMs: 58 * 60_000,
  },
  {
    ...unavailable(
      "the client is rate-limited",
      "rate_limited",
      error("Too many requests. Your client has been rate-limited."),
    ),
    retryAfterMs: 60_000,
  },
  unavailable("there is a conflict", "conflict", error("(409) Conflict: Internal server conflict")),
  unavailable(
    "the app resets the connection",
    "app_unreachable",
    error(
      "connecting to desktop app: read: connection reset, make sure the CLI is correctly installed and Connect with 1Password CLI is enabled in the 1Password app",
    ),
  ),
  unavailable(
    "the app does not run",
    "app_unreachable",
    error(
      "error initializing client: connecting to desktop app: cannot connect to 1Password app, make sure it is running",
    ),
  ),
  unavailable(
    "the app refuses the message",
    "app_unreachable",
    error("cannot verify device: native messaging: UnableToProcessRequest"),
  ),
  unavailable("the vaults are locked", "locked", error("the account is locked")),
  {
    ...unavailable(
      "the prompt was dismissed",
      "prompt_dismissed",
      error("error initializing client: authorization prompt dismissed, please try again"),
    ),
    retryAfterMs: 60_000,
  },
  unavailable(
    "standard input is taken for items",
    "input_rejected",
    error("unable to process line 1: invalid JSON in piped input"),
  ),
  unavailable("the network is down", "offline", error("dial tcp: lookup my.1password.com: no such host")),
  unavailable("anything else happens", "failed", error("something nobody has seen before"), 4),
]
