/**
 * The commands of `op` that the provider uses, taken in turn: a few processes at once, only one where each may ask a
 * person, a pause where 1Password asked to wait or a person did not want to be asked.
 */
import type { ProviderError } from "@keyward/core/effect"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Semaphore from "effect/Semaphore"
import { isUnattended, makeOpCli, type OpCli, type OpCliOptions } from "./opCli.ts"
import { classify, mayBeTooOld, unavailable, versionFailure } from "./opFailure.ts"
import { decodeItem, decodeItemList, decodeVaultList, type OpItem, type OpListedItem, type OpVault } from "./opItem.ts"
import { SharedRead } from "./SharedRead.ts"

/** What a session is made of; defaults as `OnePasswordOptions` documents them. */
export interface OpSessionOptions {
  readonly command: string
  readonly account: string | undefined
  readonly serviceAccountToken: Redacted.Redacted | undefined
  readonly timeoutMs: number | undefined
  readonly unlockTimeoutMs: number | undefined
}

const parallelProcesses = 4
const defaultTimeoutMs = 15_000
/** A person gets this many times longer than a machine. */
const unlockFactor = 8
/** Waits before a command that met a conflict is run again, in milliseconds. */
const conflictWaitsMs = [200, 600]
const vaultsLifetimeMs = 5 * 60_000

/** See the file's header. */
export class OpSession {
  /** Limit of one provider call, where it has to differ from the executor's; a person may be asked twice in it. */
  readonly callLimitMs: number | undefined
  readonly #cli: OpCli
  readonly #accountFlags: ReadonlyArray<string>
  readonly #isUnattended: boolean
  readonly #limitMs: number
  readonly #turn: Semaphore.Semaphore
  readonly #vaultReads = new SharedRead<ReadonlyArray<OpVault>>()
  #vaults: { readonly list: ReadonlyArray<OpVault>; readonly readAt: number } | undefined
  #pause: { readonly reason: string; readonly nextStep: string; readonly until: number } | undefined

  constructor(options: OpSessionOptions) {
    const { account, command, serviceAccountToken, timeoutMs = defaultTimeoutMs } = options
    const cli: OpCliOptions = { command, serviceAccountToken, accountIsNamed: account !== undefined }
    this.#cli = makeOpCli(cli)
    this.#accountFlags = account === undefined ? [] : ["--account", account]
    this.#isUnattended = isUnattended(cli)
    this.#limitMs = this.#isUnattended ? timeoutMs : (options.unlockTimeoutMs ?? unlockFactor * timeoutMs)
    this.callLimitMs = this.#isUnattended ? options.timeoutMs : 2 * this.#limitMs
    this.#turn = Semaphore.makeUnsafe(this.#isUnattended ? parallelProcesses : 1)
  }

  /** Reads one item with all its fields. `isFresh` goes past the cache that `op` keeps for itself. */
  item(vault: string, item: string, isFresh: boolean, subject: string): Effect.Effect<OpItem, ProviderError> {
    const flags = ["--vault", vault, ...(isFresh ? ["--cache=false"] : [])]
    return this.#decoded(decodeItem, ["item", "get", ...flags], [item], subject)
  }

  /** Lists the items of one vault, or of all of them, without their secrets. */
  items(vault: string | undefined): Effect.Effect<ReadonlyArray<OpListedItem>, ProviderError> {
    const flags = vault === undefined ? [] : ["--vault", vault]
    return this.#decoded(
      decodeItemList,
      ["item", "list", ...flags],
      [],
      vault === undefined ? "its items" : "the items of the vault",
    )
  }

  /** The vaults that the account may read, remembered for five minutes. */
  vaults(): Effect.Effect<ReadonlyArray<OpVault>, ProviderError> {
    return Effect.gen({ self: this }, function* () {
      const now = yield* Clock.currentTimeMillis
      if (this.#vaults !== undefined && now - this.#vaults.readAt < vaultsLifetimeMs) return this.#vaults.list
      return yield* this.#vaultReads.join(
        "all",
        this.#decoded(decodeVaultList, ["vault", "list"], [], "the vaults"),
        (list) =>
          Effect.sync(() => {
            this.#vaults = { list, readAt: now }
          }),
      )
    })
  }

  /** What to pass to {@link OpSession.items} to list everything: a service account has to name each vault. */
  listableVaults(): Effect.Effect<ReadonlyArray<string | undefined>, ProviderError> {
    return this.#isUnattended
      ? Effect.map(this.vaults(), (vaults) => vaults.map(({ id }) => id))
      : Effect.succeed([undefined])
  }

  close(): Effect.Effect<void> {
    return this.#vaultReads.close()
  }

  #decoded<A>(
    decode: (output: string) => A | undefined,
    command: ReadonlyArray<string>,
    names: ReadonlyArray<string>,
    subject: string,
  ): Effect.Effect<A, ProviderError> {
    return Effect.flatMap(this.#run(command, names, subject), (output) => {
      const value = decode(output)
      return value === undefined ? Effect.fail(unreadable()) : Effect.succeed(value)
    })
  }

  /** Runs one command when its turn comes, and again after a conflict. */
  #run(
    command: ReadonlyArray<string>,
    names: ReadonlyArray<string>,
    subject: string,
  ): Effect.Effect<string, ProviderError> {
    const flags = ["--format", "json", "--no-color", ...this.#accountFlags]
    const args = [...command, ...flags, ...(names.length === 0 ? [] : ["--", ...names])]
    const attempt = this.#turn.withPermit(
      Effect.gen({ self: this }, function* () {
        yield* this.#notPaused()
        const { exitCode, stdout, stderr } = yield* this.#cli.run(args, this.#limitMs)
        if (exitCode === 0) return stdout
        const failure = yield* this.#explained(
          classify({ exitCode, stderr, subject, isUnattended: this.#isUnattended }),
        )
        if (failure._tag === "ProviderUnavailableError" && failure.retryAfterMs !== undefined) {
          const { reason, nextStep, retryAfterMs } = failure
          this.#pause = { reason, nextStep, until: (yield* Clock.currentTimeMillis) + retryAfterMs }
        }
        return yield* Effect.fail(failure)
      }),
    )
    return conflictWaitsMs.reduce(
      (trying, waitMs) => Effect.catchIf(trying, isConflict, () => Effect.andThen(Effect.sleep(waitMs), attempt)),
      attempt,
    )
  }

  /** The circuit breaker: fails at once, with the rest of the wait, as long as the pause lasts. */
  #notPaused(): Effect.Effect<void, ProviderError> {
    return Effect.gen({ self: this }, function* () {
      if (this.#pause === undefined) return
      const { reason, nextStep, until } = this.#pause
      const remainingMs = until - (yield* Clock.currentTimeMillis)
      if (remainingMs > 0) return yield* unavailable(reason, nextStep, remainingMs)
      this.#pause = undefined
    })
  }

  /** An old CLI fails in many ways; its version, asked for only then, explains them all. */
  #explained(failure: ProviderError): Effect.Effect<ProviderError> {
    if (!mayBeTooOld(failure, this.#isUnattended)) return Effect.succeed(failure)
    return Effect.match(this.#cli.run(["--version"], this.#limitMs), {
      onFailure: () => failure,
      onSuccess: ({ stdout }) => versionFailure(stdout, this.#isUnattended) ?? failure,
    })
  }
}

const isConflict = (failure: ProviderError): boolean =>
  failure._tag === "ProviderUnavailableError" && failure.reason === "conflict"

const unreadable = (): ProviderError =>
  unavailable(
    "unexpected_output",
    "`op` answered with something that is not the JSON it documents, which is not repeated here because it may hold a secret. Update the 1Password CLI, then try again.",
  )
