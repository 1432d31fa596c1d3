/** What a host passes to `createExecutor`; `checkConfig` says what cannot work. */
import * as Schema from "effect/Schema"
import type { Tracer } from "effect/Tracer"
import type { AuditKeyMaterial } from "../audit/auditChain.ts"
import type { ConnectionNeed } from "../connection/ConnectionNeed.ts"
import type { CredentialProvider } from "../credential/CredentialProvider.ts"
import { taggedError } from "../error/KeywardError.ts"
import type { EgressOptions } from "../http/Egress.ts"
import type { OpenIdentityOptions } from "../identity/SealedIdentity.ts"
import type { Plugin } from "../integration/Plugin.ts"
import type { Store } from "../integration/Store.ts"
import type { ApprovalKeyMaterial } from "../policy/approvalSignature.ts"
import type { DefaultPolicy } from "../policy/decide.ts"
import type { ElicitationHandler } from "../tool/Elicitation.ts"
import type { ExecutorEvent } from "./ExecutorEvent.ts"

/** The config of one executor; everything is optional. */
export interface ExecutorConfig<Plugins extends ReadonlyArray<Plugin> = ReadonlyArray<Plugin>> {
  /** Default `"default"`. */
  readonly tenant?: string | undefined
  /** The acting user; leave out for an organisation-only executor. */
  readonly subject?: string | undefined
  readonly plugins?: Plugins | undefined
  /** The first writable one receives pasted values and minted tokens. */
  readonly providers?: ReadonlyArray<CredentialProvider> | undefined
  /** Where records are kept. Default: in memory. */
  readonly store?: Store | undefined
  /** Where authorization servers send people back to. */
  readonly redirectUri?: string | undefined
  /** What people read on the consent page of a server where the host registers itself. Default `"Keyward"`. */
  readonly clientName?: string | undefined
  /** Where the host serves its Client ID Metadata Document; used instead of registering where the server supports that. */
  readonly clientMetadataUrl?: string | undefined
  /** With what `withSealedIdentity` opens tokens, and whether callers that were not sealed are refused. */
  readonly sealedIdentity?: SealedIdentityConfig | undefined
  /**
   * Where the host sends people to connect an account: a URL, or a function of what is needed. Said in results that need a connection
   * (`connection_required`) or one that an OAuth flow made to be connected again.
   */
  readonly connectUrl?: string | ((need: ConnectionNeed) => string) | undefined
  /** Who answers questions. Default: nobody, so that approvals are declined; `"defer"` lets them be answered later. */
  readonly onElicitation?: ElicitationHandler | undefined
  /**
   * What decides about a call that no rule of the organisation is about. Default `annotations`: a person is asked before what may destroy
   * and before a write of unknown effect, unless a rule of the user says otherwise. An action counts as the organisation's last rule.
   */
  readonly defaultPolicy?: DefaultPolicy | undefined
  readonly approvals?: ApprovalOptions | undefined
  /** Whether what happens is kept in the store, and how: `executor.audit`. Default: it is not. */
  readonly audit?: boolean | AuditOptions | undefined
  /**
   * Where spans go: a `Tracer` of `effect`, of an exporter or made of OpenTelemetry's. Default: there are none. In an Effect program
   * `yield* Effect.tracer` is the one that is in force.
   */
  readonly tracer?: Tracer | undefined
  readonly egress?: EgressOptions | undefined
  /** Lifecycle and audit events. What it throws is ignored. */
  readonly onEvent?: ((event: ExecutorEvent) => void) | undefined
  /** Milliseconds for one call of a provider that declares no limit of its own. Default 15 000. */
  readonly providerTimeoutMs?: number | undefined
  /** Milliseconds for one tool call, questions to people not counted. Default 120 000. */
  readonly toolTimeoutMs?: number | undefined
  /** Milliseconds that a person has for an answer. Default 600 000. */
  readonly elicitationTimeoutMs?: number | undefined
}

/** How approvals that are kept are signed, and for how long they hold. */
export interface ApprovalOptions {
  /**
   * What signs approvals: 32 bytes or more, or base64 of them, the same in every process; of several the first signs and all are
   * believed. Default: a key of this process, so that approvals end with it.
   */
  readonly key?: ApprovalKeyMaterial | ReadonlyArray<ApprovalKeyMaterial> | undefined
  /** Milliseconds from a question to its end unanswered, and from an answer to its end. Default 86 400 000, a day. */
  readonly expiresAfterMs?: number | undefined
}

/** How an audit trail is made. */
export interface AuditOptions {
  /**
   * What the chain is made with: 32 bytes or more, or base64 of them, the same in every process, and not kept where the store is. Of
   * several the first makes new entries and all are believed. Default: none, so that whoever can write to the store can make another
   * chain.
   */
  readonly key?: AuditKeyMaterial | ReadonlyArray<AuditKeyMaterial> | undefined
  /**
   * Whether calls' arguments are kept: without the connection's secrets, without what has the name of a secret, and cut at 4,096
   * characters; none of a call whose secrets are not known because it was not authorized. Default: they are not.
   */
  readonly arguments?: "redacted" | undefined
  /** Milliseconds after which calls are written at the latest; what a process that is killed may lose. Default 250. */
  readonly flushMs?: number | undefined
  /** How many entries wait in memory at most while the store cannot be reached. Default 10,000. */
  readonly maxPending?: number | undefined
  /**
   * What happens when that many wait: calls go on and the trail says how many it misses (`drop`), or calls fail with
   * `StoreUnavailableError` (`refuse`). Default `drop`.
   */
  readonly onFull?: "drop" | "refuse" | undefined
}

/** How an executor opens the tokens of its host's edge. */
export interface SealedIdentityConfig extends OpenIdentityOptions {
  /** Whether `withIdentity` takes nothing but what came out of a token, and `asAgent` nothing but a key. Default: no. */
  readonly isRequired?: boolean | undefined
}

/** A config that cannot work; `field` names the part at fault. */
export class InvalidConfigError extends taggedError<InvalidConfigError>()(
  "InvalidConfigError",
  { field: Schema.String, fault: Schema.String },
  400,
) {
  override get message(): string {
    return `createExecutor ${this.field}: ${this.fault}`
  }
}
