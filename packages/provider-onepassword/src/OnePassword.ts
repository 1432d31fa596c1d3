/**
 * The 1Password provider: its options, its cache, and which vaults it may look into. Read-only.
 *
 * An id becomes an item and a field; the item comes from memory, from a read under way, or from one `op` process, however
 * many fields and callers want it. How `op` is run and told to wait is in `OpSession`, what it prints in `opItem`.
 */
import { InvalidProviderOptionsError } from "@keyward/core"
import {
  compareTexts,
  type CredentialProvider,
  ProviderDeniedError,
  type ProviderError,
  type ProviderItem,
} from "@keyward/core/effect"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { isUsableToken } from "./opCli.ts"
import { closed, denied, itemNotFound, providerKey, quoted } from "./opFailure.ts"
import { mainFieldOf, type OpItem, type OpVault, pickSecret, withoutCodes } from "./opItem.ts"
import { OpSession } from "./OpSession.ts"
import { isSameName, parseSecretReference, type SecretReference } from "./SecretReference.ts"
import { SharedRead } from "./SharedRead.ts"

/** Options of {@link onePasswordProvider}. */
export interface OnePasswordOptions {
  /** Sign-in address or id of the account to use where `op` knows several. Default: `op`'s own choice. */
  readonly account?: string | undefined
  /** Token of a service account, for hosts where nobody can unlock an app. Default: `OP_SERVICE_ACCOUNT_TOKEN`, if set. */
  readonly serviceAccountToken?: string | Redacted.Redacted | undefined
  /** The only vaults to read from, by name or id. Default: every vault that the account may read. */
  readonly vaults?: ReadonlyArray<string> | undefined
  /** The CLI: a name to find on PATH or a path. Default: `"op"`. */
  readonly command?: string | undefined
  /** Limit of one unattended `op` process in milliseconds. Default: 15,000. */
  readonly timeoutMs?: number | undefined
  /** Limit of one `op` process that may wait for a person, in milliseconds. Default: eight times `timeoutMs`. */
  readonly unlockTimeoutMs?: number | undefined
  /** How long values stay in memory; `false` reads anew each time. Default: five minutes. One-time codes never stay. */
  readonly cache?: false | { readonly lifetimeMs: number } | undefined
}

/** The provider, with a Promise-style way to show what there is to pick. */
export interface OnePasswordProvider extends CredentialProvider {
  /** What `list` gives, for hosts that hold the provider itself. Rejects with the provider's typed errors. */
  items(): Promise<ReadonlyArray<ProviderItem>>
}

/**
 * Reads secrets through the 1Password CLI, version 2.18 or newer. Read-only; its key is `1password`.
 *
 * Ids are secret references (`op://vault/item/field`, `op://vault/item/section/field`, `?attribute=otp` for a one-time
 * code) or, with exactly one entry in `vaults`, bare item ids, which mean the item's main secret. A reference to a vault,
 * item or field that is not there fails with `ProviderDeniedError` and the reason `vault_not_found`, `item_not_found` or
 * `field_not_found`; an id that is no reference is `undefined`.
 *
 * @throws InvalidProviderOptionsError for options that cannot work.
 *
 * @example
 * ```ts
 * import { createExecutor } from "@keyward/core"
 * import { onePasswordProvider } from "@keyward/provider-onepassword"
 *
 * const executor = await createExecutor({ providers: [onePasswordProvider({ vaults: ["Agents"] })] })
 * ```
 */
export const onePasswordProvider = (options: OnePasswordOptions = {}): OnePasswordProvider => {
  const serviceAccountToken =
    typeof options.serviceAccountToken === "string"
      ? Redacted.make(options.serviceAccountToken)
      : options.serviceAccountToken
  checkOptions(options, serviceAccountToken)
  const session = new OpSession({
    command: options.command ?? "op",
    account: options.account,
    serviceAccountToken,
    timeoutMs: options.timeoutMs,
    unlockTimeoutMs: options.unlockTimeoutMs,
  })
  const lifetimeMs = options.cache === false ? 0 : (options.cache?.lifetimeMs ?? defaultLifetimeMs)
  const items = new Items(session, options.vaults, lifetimeMs)
  return {
    key: providerKey,
    writable: false,
    timeoutMs: session.callLimitMs,
    get: (id) => items.secret(id),
    list: () => items.list(),
    items: () => Effect.runPromise(items.list()),
    invalidate: (id) => Effect.sync(() => items.invalidate(id)),
    close: () => items.close(),
  }
}

interface Cached {
  readonly item: OpItem
  readonly readAt: number
  /** Takes the item out of memory when nobody asks for it any more. */
  readonly timer: NodeJS.Timeout
}

/** A vault and an item as somebody names them, or by their ids. */
interface Address {
  readonly vault: string
  readonly item: string
}

const defaultLifetimeMs = 5 * 60_000

class Items {
  readonly #session: OpSession
  readonly #allowed: ReadonlyArray<string> | undefined
  readonly #lifetimeMs: number
  readonly #reads = new SharedRead<OpItem>()
  readonly #lists = new SharedRead<ReadonlyArray<ProviderItem>>()
  readonly #cache = new Map<string, Cached>()
  /** Where items were found: later reads name them by id, which costs 1Password one request instead of three. */
  readonly #found = new Map<string, Address>()
  /** Items whose value an API rejected: their next read goes past the cache of `op` itself. */
  readonly #rejected = new Set<string>()
  #isClosed = false

  constructor(session: OpSession, allowed: ReadonlyArray<string> | undefined, lifetimeMs: number) {
    this.#session = session
    this.#allowed = allowed
    this.#lifetimeMs = lifetimeMs
  }

  secret(id: string): Effect.Effect<Redacted.Redacted | undefined, ProviderError> {
    return this.#whenOpen(() => {
      const reference = parseSecretReference(id)
      if (reference === undefined) return Effect.undefined
      const subject = quoted(id)
      if ("problem" in reference) {
        return Effect.fail(denied("invalid_reference", `${subject} is not a secret reference. ${reference.problem}`))
      }
      return Effect.flatMap(this.#item(reference, subject), (item) => {
        const secret = pickSecret(item, reference, subject)
        return secret instanceof ProviderDeniedError ? Effect.fail(secret) : Effect.succeed(secret)
      })
    })
  }

  list(): Effect.Effect<ReadonlyArray<ProviderItem>, ProviderError> {
    return this.#whenOpen(() => this.#lists.join("all", this.#readList()))
  }

  invalidate(id: string): void {
    const reference = parseSecretReference(id)
    if (reference === undefined || "problem" in reference) return
    const vault = reference.vault ?? this.#onlyVault()
    if (vault === undefined) return
    const key = keyOf({ vault, item: reference.item })
    const itemId = this.#found.get(key)?.item
    const sameItem = [...this.#found].flatMap(([other, { item }]) => (item === itemId ? [other] : []))
    for (const each of new Set([key, ...sameItem])) {
      this.#forget(each)
      // Whoever asks from now on must not get the answer of a read that began before the rejection.
      this.#reads.detach(each)
      this.#rejected.add(each)
    }
  }

  close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#isClosed = true
      for (const key of this.#cache.keys()) this.#forget(key)
      return Effect.andThen(Effect.andThen(this.#reads.close(), this.#lists.close()), this.#session.close())
    })
  }

  #whenOpen<A>(call: () => Effect.Effect<A, ProviderError>): Effect.Effect<A, ProviderError> {
    return Effect.suspend(() => (this.#isClosed ? Effect.fail(closed()) : call()))
  }

  #item(reference: SecretReference, subject: string): Effect.Effect<OpItem, ProviderError> {
    return Effect.gen({ self: this }, function* () {
      const vault = reference.vault ?? this.#onlyVault()
      if (vault === undefined) return yield* vaultRequired(subject)
      const asked = { vault, item: reference.item }
      const key = keyOf(asked)
      const cached = reference.form === "otp" ? undefined : this.#cache.get(key)
      if (cached !== undefined) {
        if ((yield* Clock.currentTimeMillis) - cached.readAt < this.#lifetimeMs) return cached.item
        this.#forget(key)
      }
      return yield* this.#reads.join(key, this.#read(key, asked, subject), (item) => this.#remember(key, item))
    })
  }

  #read(key: string, asked: Address, subject: string): Effect.Effect<OpItem, ProviderError> {
    return Effect.gen({ self: this }, function* () {
      const vault = yield* this.#allowedVault(asked.vault, subject)
      const byName = this.#fetch(key, { vault, item: asked.item }, asked, subject)
      const known = this.#found.get(key)
      const item = yield* known === undefined
        ? byName
        : // What was renamed or replaced since is looked up by name again.
          Effect.catchIf(this.#fetch(key, known, asked, subject), isNotFound, () => byName)
      this.#found.set(key, { vault: item.vault.id, item: item.id })
      this.#rejected.delete(key)
      return item
    })
  }

  #fetch(key: string, address: Address, asked: Address, subject: string): Effect.Effect<OpItem, ProviderError> {
    return Effect.gen({ self: this }, function* () {
      const item = yield* this.#session.item(address.vault, address.item, this.#rejected.has(key), subject)
      // `op` also finds items by the domain of their website; a reference means the title or the id alone.
      if (item.id !== asked.item && !isSameName(item.title, asked.item)) return yield* itemNotFound(subject)
      const isAsked = yield* this.#isOneOf(item.vault, [asked.vault])
      const isAllowed = this.#allowed === undefined || (yield* this.#isOneOf(item.vault, this.#allowed))
      return isAsked && isAllowed ? item : yield* vaultNotAllowed(subject)
    })
  }

  /** The vault to ask for, once it is certain to be one of the configured ones. Asks `op` only about other spellings. */
  #allowedVault(vault: string, subject: string): Effect.Effect<string, ProviderError> {
    return Effect.gen({ self: this }, function* () {
      const allowed = this.#allowed
      if (allowed === undefined || allowed.some((entry) => isSameName(entry, vault))) return vault
      const vaults = (yield* this.#session.vaults()).filter((candidate) => isNamed(candidate, vault))
      const found = vaults.find((candidate) => allowed.some((entry) => isNamed(candidate, entry)))
      return found === undefined ? yield* vaultNotAllowed(subject) : found.id
    })
  }

  #isOneOf(vault: OpVault, entries: ReadonlyArray<string>): Effect.Effect<boolean, ProviderError> {
    if (entries.some((entry) => isNamed(vault, entry))) return Effect.succeed(true)
    if (vault.name !== undefined) return Effect.succeed(false)
    return Effect.map(this.#session.vaults(), (vaults) =>
      vaults.some((listed) => listed.id === vault.id && entries.some((entry) => isNamed(listed, entry))),
    )
  }

  #readList(): Effect.Effect<ReadonlyArray<ProviderItem>, ProviderError> {
    return Effect.gen({ self: this }, function* () {
      const vaults = this.#allowed ?? (yield* this.#session.listableVaults())
      const lists = yield* Effect.forEach(vaults, (vault) => this.#session.items(vault), { concurrency: "unbounded" })
      const items = new Map<string, ProviderItem>()
      for (const { id, title, category, vault } of lists.flat()) {
        const field = mainFieldOf(category)
        const reference = `op://${vault.id}/${id}/${field}`
        if (field !== undefined) items.set(reference, { id: reference, name: `${title} (${vault.name ?? vault.id})` })
      }
      return [...items.values()].toSorted(
        (one, other) => compareTexts(one.name, other.name) || compareTexts(one.id, other.id),
      )
    })
  }

  #onlyVault(): string | undefined {
    return this.#allowed?.length === 1 ? this.#allowed[0] : undefined
  }

  #remember(key: string, item: OpItem): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (readAt) => {
      this.#forget(key)
      if (this.#lifetimeMs === 0 || this.#isClosed) return
      const timer = setTimeout(() => this.#cache.delete(key), this.#lifetimeMs).unref()
      this.#cache.set(key, { item: withoutCodes(item), readAt, timer })
    })
  }

  #forget(key: string): void {
    clearTimeout(this.#cache.get(key)?.timer)
    this.#cache.delete(key)
  }
}

const keyOf = ({ vault, item }: Address): string => `${vault.toLowerCase()}/${item.toLowerCase()}`

const isNamed = (vault: OpVault, name: string): boolean =>
  vault.id === name || (vault.name !== undefined && isSameName(vault.name, name))

const isNotFound = (failure: ProviderError): boolean =>
  failure._tag === "ProviderDeniedError" &&
  (failure.reason === "item_not_found" || failure.reason === "vault_not_found")

const vaultRequired = (subject: string): ProviderDeniedError =>
  denied(
    "vault_required",
    `${subject} is a bare item id, which needs exactly one configured vault. Pass it as \`vaults\`, or write op://vault/item/field.`,
  )

const vaultNotAllowed = (subject: string): ProviderDeniedError =>
  denied(
    "vault_not_allowed",
    `The vault of ${subject} is not one of the configured \`vaults\`. Use one of those, or add it.`,
  )

/** Longest delay a timer takes. */
const maximumMs = 2 ** 31 - 1

const checkOptions = (options: OnePasswordOptions, token: Redacted.Redacted | undefined): void => {
  const { account, cache, command, timeoutMs, unlockTimeoutMs, vaults } = options
  const refuse = (option: keyof OnePasswordOptions, isWrong: boolean | undefined, problem: string): void => {
    if (isWrong === true) throw new InvalidProviderOptionsError({ provider: providerKey, option, problem })
  }
  const isWrongArgument = (text: string | undefined): boolean => text !== undefined && !isArgument(text)
  const isWrongDuration = (value: number | undefined): boolean =>
    value !== undefined && !(Number.isFinite(value) && value > 0 && value <= maximumMs)
  refuse("account", isWrongArgument(account), "Pass a sign-in address or the id of an account.")
  refuse("command", isWrongArgument(command), "Pass the name or the path of the 1Password CLI.")
  refuse(
    "serviceAccountToken",
    token !== undefined && !isUsableToken(token),
    "It is empty or holds spaces or line breaks; copy the token again, whole.",
  )
  refuse("vaults", vaults?.length === 0, "It is empty, so nothing could be read; leave it out for all vaults.")
  refuse("vaults", vaults?.some(isWrongArgument), "Pass names or ids of vaults.")
  refuse("timeoutMs", isWrongDuration(timeoutMs), "Pass a positive number of milliseconds.")
  refuse("unlockTimeoutMs", isWrongDuration(unlockTimeoutMs), "Pass a positive number of milliseconds.")
  refuse(
    "cache",
    cache !== false && isWrongDuration(cache?.lifetimeMs),
    "Pass `{ lifetimeMs }` with a positive number of milliseconds, or `false` to read each time.",
  )
}

/** Text that cannot be mistaken for an option of `op`, nor cut short by the operating system. */
const isArgument = (text: string): boolean => /^[^-\s\p{Cc}][^\p{Cc}]{0,254}$/u.test(text) && text.isWellFormed()
