/**
 * What all views of one executor share, whoever is looking: store, providers, egress, plugins, limits.
 *
 * Built once by `createExecutor`, handed to each verb together with the identity it acts for.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Semaphore from "effect/Semaphore"
import type { Tracer } from "effect/Tracer"
import { type AuditKeys, readAuditKeys } from "../audit/auditChain.ts"
import { CredentialProviders } from "../credential/CredentialProviders.ts"
import { Egress } from "../http/Egress.ts"
import type { Identity } from "../identity/Identity.ts"
import type { Plugin } from "../integration/Plugin.ts"
import type { Store, StoreOutage } from "../integration/Store.ts"
import { memoryStore } from "../memory/MemoryStore.ts"
import { type ApprovalKeys, processApprovalKeys, readApprovalKeys } from "../policy/approvalSignature.ts"
import type { DefaultPolicy } from "../policy/decide.ts"
import type { ElicitationHandler } from "../tool/Elicitation.ts"
import { AuditLog } from "./audit/AuditLog.ts"
import type { AuditOptions, ExecutorConfig } from "./ExecutorConfig.ts"
import type { EventBody, ExecutorEvent } from "./ExecutorEvent.ts"

/** See the file's header. */
export interface Resources {
  /** Stands for the executor where plugins tell several apart; holds nothing. */
  readonly token: object
  readonly store: Store
  readonly providers: CredentialProviders
  readonly egress: Egress
  readonly plugins: ReadonlyMap<string, Plugin>
  readonly onElicitation: ElicitationHandler | undefined
  /** What decides about a call that no rule is about. */
  readonly defaultPolicy: DefaultPolicy
  readonly approvals: { readonly keys: ApprovalKeys; readonly expiresAfterMs: number }
  readonly toolTimeoutMs: number
  readonly elicitationTimeoutMs: number
  /** Where authorization servers send people back to, unless a flow says otherwise. */
  readonly redirectUri: string | undefined
  /** What the host is called where it registers itself. */
  readonly clientName: string
  /** Where the host serves its Client ID Metadata Document. */
  readonly clientMetadataUrl: string | undefined
  /** With what tokens are opened that name the caller. */
  readonly sealedIdentity: ExecutorConfig["sealedIdentity"]
  /** Where the host sends people to connect an account. */
  readonly connectUrl: ExecutorConfig["connectUrl"]
  /** Whether anybody listens, the audit trail included; events need not be built otherwise. */
  readonly hasListener: boolean
  /** Where spans go; `undefined`: none are opened. */
  readonly tracer: Tracer | undefined
  /** Stamps an event and hands it to the host and the audit trail; `shown` is for the trail alone. */
  readonly emit: (identity: Identity, event: EventBody, shown?: string) => void
  /** The same for the host alone; `at` is now unless it was before. */
  readonly tell: (identity: Identity, event: EventBody, at?: number) => void
  /** What is to be written to audit trails; `undefined` where none is kept. */
  readonly audit: AuditLog | undefined
  readonly auditKeys: AuditKeys
  readonly keepsArguments: boolean
  /** Whether calls fail when the audit trail has no room for them. */
  readonly refusesUnaudited: boolean
  /** Runs one effect at a time per key within this process. */
  readonly exclusively: <A, E>(key: string, effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Begins what nobody waits for; it is interrupted when the executor closes, and its failures are its own affair. */
  readonly inBackground: (effect: Effect.Effect<void, unknown>) => Effect.Effect<void>
  readonly close: Effect.Effect<void>
}

/** Builds the shared part of an executor from a checked config. */
export const makeResources = (config: ExecutorConfig): Resources => {
  const providers = new CredentialProviders(config.providers ?? [], config.providerTimeoutMs ?? 15_000)
  const egress = new Egress(config.egress)
  const store = config.store ?? memoryStore()
  const { onEvent } = config
  let isClosed = false
  const background = makeBackground()
  const tellHost: Resources["tell"] = (identity, event, at = Date.now()) => {
    if (onEvent !== undefined) tell(onEvent, { ...event, at, ...identity })
  }
  const auditOptions: AuditOptions = typeof config.audit === "object" ? config.audit : {}
  const auditKeys = readAuditKeys(auditOptions.key) ?? []
  const audit =
    config.audit === undefined || config.audit === false
      ? undefined
      : new AuditLog({
          store: store.audit,
          keys: auditKeys,
          flushMs: auditOptions.flushMs ?? 250,
          maxPending: auditOptions.maxPending ?? 10_000,
          tell: (tenant, event) => tellHost({ tenant, subject: null }, event),
        })
  const emit: Resources["emit"] =
    audit === undefined
      ? (identity, event) => tellHost(identity, event)
      : (identity, body, shown) => {
          const event: ExecutorEvent = { ...body, at: Date.now(), ...identity }
          audit.record(event, shown)
          if (onEvent !== undefined) tell(onEvent, event)
        }
  const token = Object.freeze({})
  const unwatch = onEvent && store.watchOutages?.((outage) => emit(nobody(config), toEvent(outage)))
  return {
    token,
    store,
    providers,
    egress,
    plugins: new Map((config.plugins ?? []).map((plugin) => [plugin.id, plugin])),
    onElicitation: config.onElicitation,
    defaultPolicy: config.defaultPolicy ?? "annotations",
    approvals: {
      keys: readApprovalKeys(config.approvals?.key ?? []) ?? processApprovalKeys(),
      expiresAfterMs: config.approvals?.expiresAfterMs ?? 86_400_000,
    },
    toolTimeoutMs: config.toolTimeoutMs ?? 120_000,
    elicitationTimeoutMs: config.elicitationTimeoutMs ?? 600_000,
    redirectUri: config.redirectUri,
    clientName: config.clientName ?? "Keyward",
    clientMetadataUrl: config.clientMetadataUrl,
    sealedIdentity: config.sealedIdentity,
    connectUrl: config.connectUrl,
    hasListener: onEvent !== undefined || audit !== undefined,
    tracer: config.tracer,
    emit,
    tell: tellHost,
    audit,
    auditKeys,
    keepsArguments: audit !== undefined && auditOptions.arguments === "redacted",
    refusesUnaudited: audit !== undefined && auditOptions.onFull === "refuse",
    exclusively: makeExclusively(),
    inBackground: background.begin,
    close: Effect.suspend(() => {
      if (isClosed) return Effect.void
      isClosed = true
      // One that does not close cleanly must not keep the others open.
      const closing = [
        background.close,
        ...(config.plugins ?? []).map((plugin) => closePlugin(plugin, token)),
        egress.close(),
        providers.close(),
        Effect.sync(() => unwatch?.()),
        audit?.close ?? Effect.void,
        Effect.suspend(() => store.close?.() ?? Effect.void),
      ]
      return Effect.forEach(closing, (one) => Effect.ignoreCause(one), { discard: true })
    }),
  }
}

/** What a plugin holds open may take long to end; the executor does not wait for ever. */
const closePlugin = (plugin: Plugin, executor: object): Effect.Effect<void> =>
  Effect.asVoid(
    Effect.timeoutOption(
      Effect.promise(async () => ended(plugin.close?.({ executor }))),
      5000,
    ),
  )

const ended = (closing: unknown): unknown =>
  Effect.isEffect(closing) ? Effect.runPromise(closing as Effect.Effect<unknown, unknown>) : closing

/** A store is everybody's; its events are the tenant's that the executor was made for, and no user's. */
const nobody = ({ tenant = "default" }: ExecutorConfig): Identity => ({ tenant, subject: null })

const toEvent = (outage: StoreOutage): EventBody =>
  outage.isAway ? { type: "store.away", reason: outage.reason } : { type: "store.back" }

/** A listener's own failure is its own affair: a call must not fail because it was watched. */
const tell = (onEvent: (event: ExecutorEvent) => void, event: ExecutorEvent): void => {
  try {
    const answer: unknown = onEvent(event)
    if (answer instanceof Promise) answer.catch(() => undefined)
  } catch {
    // see above
  }
}

interface Background {
  readonly begin: Resources["inBackground"]
  readonly close: Effect.Effect<void>
}

const makeBackground = (): Background => {
  const fibers = new Set<Fiber.Fiber<void>>()
  let isClosed = false
  return {
    begin: (effect) =>
      Effect.suspend(() => {
        if (isClosed) return Effect.void
        return Effect.map(Effect.forkDetach(Effect.ignoreCause(effect), { uninterruptible: false }), (fiber) => {
          fibers.add(fiber)
          fiber.addObserver(() => fibers.delete(fiber))
        })
      }),
    close: Effect.suspend(() => {
      isClosed = true
      return Fiber.interruptAll([...fibers])
    }),
  }
}

const makeExclusively = (): Resources["exclusively"] => {
  const locks = new Map<string, { readonly semaphore: Semaphore.Semaphore; users: number }>()
  return (key, effect) =>
    Effect.suspend(() => {
      const lock = locks.get(key) ?? { semaphore: Semaphore.makeUnsafe(1), users: 0 }
      locks.set(key, lock)
      lock.users += 1
      return Effect.ensuring(
        lock.semaphore.withPermits(1)(effect),
        Effect.sync(() => {
          lock.users -= 1
          if (lock.users === 0) locks.delete(key)
        }),
      )
    })
}
