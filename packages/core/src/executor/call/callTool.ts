/**
 * Where calls come in: `execute` by an address, `call` by integration and tool; and how each comes to the connection that it runs as.
 *
 * A full address names its connection, and the integration's identity mode is held against it. A short one (`tools.<integration>.<tool>`)
 * and `call` have it selected (selectAccount.ts); what cannot be selected is a result where a model can do something about it.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Span } from "effect/Tracer"
import {
  type AccountNotFoundError,
  type AmbiguousAccountError,
  type ConnectionRequiredError,
  IdentityConflictError,
  IdentityModeError,
  SubjectRequiredError,
} from "../../connection/AccountError.ts"
import { InvalidConnectionInputError } from "../../connection/ConnectionError.ts"
import { connectionAddress, type ConnectionRef } from "../../connection/ConnectionRef.ts"
import { quote } from "../../error/KeywardError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity, Owner } from "../../identity/Identity.ts"
import { modeAllows, pinnedOwner } from "../../identity/IdentityMode.ts"
import { identityModeOf, type IntegrationRecord } from "../../integration/Integration.ts"
import { parseShortAddress, parseToolAddress, shortAddress, type ToolAddress } from "../../tool/ToolAddress.ts"
import { ToolNotFoundError } from "../../tool/ToolError.ts"
import type { ToolResult } from "../../tool/ToolResult.ts"
import { accountCode, accountFailure, type AccountProblem, isAccountProblem } from "../select/accountFailure.ts"
import { andThen } from "../andThen.ts"
import { sharedCatalogOf } from "../tools/Catalogs.ts"
import { selectConnection } from "../select/ConnectionSelector.ts"
import type { CallTrace } from "./CallTrace.ts"
import { type NamedCall, tellingRefusal, tellRefused } from "./refusedCall.ts"
import { nameOfError } from "../audit/recordedCall.ts"
import { inSpan, type SpanPlace } from "../inSpan.ts"
import { takeIdentity } from "../select/identityArgument.ts"
import type { Resources } from "../Resources.ts"
import { integrationOfCall, selectAccount, type SelectedAccount } from "../select/selectAccount.ts"
import type { ExecuteOptions } from "./ToolCall.ts"
import { type ExecuteError, invokeSelected } from "./ToolInvoker.ts"
import { unselectedTools } from "../tools/unselectedTools.ts"

/** Options of `executor.call`. */
export interface CallOptions extends ExecuteOptions {
  /** Whose connection the call runs as, where the integration's identity mode leaves the choice. */
  readonly identity?: Owner | undefined
  /**
   * Which of several accounts: a connection's name in any spelling, its address, or its label, which may stand behind the integration
   * (`ozon:Top Zip`). Default: the one marked default, else the only one.
   */
  readonly account?: string | undefined
}

/**
 * Executes the tool at an address.
 *
 * An address whose third part is `org` or `user` is a full one and nothing else; a tool whose own name begins so is reached by its full
 * address or by `executor.call`.
 */
export const executeTool = (
  resources: Resources,
  identity: Identity,
  address: string,
  args: unknown,
  options: ExecuteOptions | undefined,
): Effect.Effect<ToolResult, ExecuteError> => {
  const full = parseToolAddress(address)
  if (full !== undefined) {
    const attributes = { integration: full.connection.integration, tool: full.tool }
    return Effect.suspend(() =>
      inSpan(
        resources,
        "keyward.call",
        () => ({ attributes }),
        (span) => callAt({ resources, identity, span }, full, args, options),
      ),
    )
  }
  const short = parseShortAddress(address)
  if (short !== undefined) return callTool(resources, identity, short.integration, short.tool, args, options)
  // Addresses come from models, which also make up what is no text.
  const given: unknown = address
  const error = new ToolNotFoundError({ address: String(given), suggestions: [] })
  return tellingRefusal({ resources, identity }, () => ({ address: String(given) }), Effect.fail(error))
}

/** Calls a tool of an integration as the connection that is selected for it. */
export const callTool = (
  resources: Resources,
  identity: Identity,
  slug: string,
  tool: string,
  args: unknown,
  options: CallOptions | undefined,
): Effect.Effect<ToolResult, ExecuteError> =>
  Effect.suspend(() =>
    inSpan(
      resources,
      "keyward.call",
      () => ({ attributes: { integration: slug, tool } }),
      (span) => callSelecting({ resources, identity, span }, slug, tool, args, options),
    ),
  )

/** Who calls, and the span that the call is in. */
interface Calling {
  readonly resources: Resources
  readonly identity: Identity
  readonly span: Span | undefined
}

const callSelecting = (
  calling: Calling,
  slug: string,
  tool: string,
  args: unknown,
  options: CallOptions | undefined,
): Effect.Effect<ToolResult, ExecuteError> => {
  const { resources, identity, span } = calling
  const named = (): NamedCall => ({ integration: slug, tool })
  const taken = takeIdentity(args)
  if ("ok" in taken) return refusedResult(calling, named(), taken)
  const { identity: wanted, account } = options ?? {}
  const fault = faultOf(wanted, account)
  if (fault !== undefined) return tellingRefusal(calling, named, Effect.fail(fault))
  return andThen(tellingRefusal(calling, named, integrationOfCall(resources, identity, slug)), (integration) => {
    const call: SelectingCall = { resources, identity, span, integration, tool, override: wanted ?? taken.asked }
    if (wanted !== undefined && taken.asked !== undefined && wanted !== taken.asked) {
      return refused(
        call,
        new IdentityConflictError({ integration: slug, asked: taken.asked, contradicts: "identity" }),
      )
    }
    const request = { identity: call.override, account }
    const place = (): SpanPlace => ({ attributes: { integration: slug, tool } })
    const selecting = inSpan(resources, "keyward.select", place, () =>
      chosenOrProblem(call, selectAccount(resources, identity, integration, request)),
    )
    return andThen(selecting, (chosen) =>
      "error" in chosen ? problem(call, chosen.error) : callAs(call, chosen, taken.args, options),
    )
  })
}

const callAt = (
  calling: Calling,
  { connection, tool }: ToolAddress,
  args: unknown,
  options: ExecuteOptions | undefined,
): Effect.Effect<ToolResult, ExecuteError> => {
  const { resources, identity, span } = calling
  const named = () => ({ connection: connectionAddress(connection), integration: connection.integration, tool })
  const taken = takeIdentity(args)
  if ("ok" in taken) return refusedResult(calling, named(), taken)
  const fault = optionsFault(connection, options)
  if (fault !== undefined) return tellingRefusal(calling, named, Effect.fail(fault))
  const place = (): SpanPlace => ({ attributes: named() })
  return andThen(
    tellingRefusal(
      calling,
      named,
      inSpan(resources, "keyward.select", place, () => selectConnection(resources, identity, connection)),
    ),
    (selected): Effect.Effect<ToolResult, ExecuteError> => {
      const { integration, row } = selected
      const { asked } = taken
      const mode = identityModeOf(integration)
      if (!modeAllows(mode, row.owner) || (asked !== undefined && asked !== row.owner)) {
        const call: SelectingCall = { resources, identity, span, integration, tool, override: asked ?? row.owner }
        return refused(call, refusal(integration, row.owner, asked))
      }
      const trace: CallTrace | undefined = isTraced(resources)
        ? { identityMode: mode, chosenBy: "address", override: asked, span }
        : undefined
      return invokeSelected(resources, selected, tool, taken.args, options, trace)
    },
  )
}

/** A call that has no connection yet. */
interface SelectingCall extends Calling {
  readonly integration: IntegrationRecord
  readonly tool: string
  /** Whose connection the call itself asks for. */
  readonly override: Owner | undefined
}

/** Runs the call, and says with its result which account that was and why. */
const callAs = (
  { resources, integration, tool, override, span }: SelectingCall,
  { selected, chosenBy }: SelectedAccount,
  args: unknown,
  options: ExecuteOptions | undefined,
): Effect.Effect<ToolResult, ExecuteError> => {
  const identityMode = identityModeOf(integration)
  const trace: CallTrace | undefined = isTraced(resources) ? { identityMode, chosenBy, override, span } : undefined
  const { row } = selected
  return andThen(invokeSelected(resources, selected, tool, args, options, trace), (result) =>
    Effect.succeed({
      ...result,
      account: {
        connection: connectionAddress(row),
        identityLabel: row.identityLabel,
        identityMode,
        chosenBy,
        ...(selected.lender === undefined ? {} : { sharedBy: selected.lender.row.subject }),
        ...(override === undefined ? {} : { override }),
      },
    }),
  )
}

const isTraced = ({ hasListener, tracer }: Resources): boolean => hasListener || tracer !== undefined

/** Why an address cannot be called: the mode does not allow it, or the arguments say otherwise. */
const refusal = (
  integration: IntegrationRecord,
  owner: Owner,
  asked: Owner | undefined,
): IdentityModeError | IdentityConflictError => {
  const { slug } = integration
  const mode = identityModeOf(integration)
  const allowed = pinnedOwner(mode)
  return allowed === undefined
    ? new IdentityConflictError({ integration: slug, asked: asked ?? owner, contradicts: "address" })
    : new IdentityModeError({ integration: slug, mode, asked: allowed === "org" ? "user" : "org", allowed })
}

/** A result instead of a call, of which the host is told. */
const refusedResult = (
  calling: Calling,
  call: NamedCall,
  result: Extract<ToolResult, { readonly ok: false }>,
): Effect.Effect<ToolResult> =>
  Effect.sync(() => {
    tellRefused(calling, call, result.error.code)
    return result
  })

/** What a model cannot do anything about fails; the host is told either way. */
const refused = <E extends IdentityModeError | IdentityConflictError | SubjectRequiredError>(
  call: SelectingCall,
  error: E,
): Effect.Effect<never, E> =>
  Effect.suspend(() => {
    report(call, error._tag, undefined)
    return Effect.fail(error)
  })

/** A problem is answered, unless there is no such tool: then it is pointless to connect anything. */
const problem = (
  call: SelectingCall,
  error: AccountProblem,
): Effect.Effect<ToolResult, ToolNotFoundError | StoreUnavailableError> => {
  const { resources, identity, integration, tool } = call
  const catalog = identity.agent === undefined ? sharedCatalogOf(resources, integration) : Effect.undefined
  return Effect.flatMap(
    Effect.catch(catalog, () => Effect.undefined),
    (known): Effect.Effect<ToolResult, ToolNotFoundError | StoreUnavailableError> => {
      if (known !== undefined && known.get(tool) === undefined) {
        return Effect.flatMap(unselectedTools(resources, identity, integration.slug, error), (isShown) => {
          const near = known.near(tool, known.tools.length).flatMap((name) => known.get(name) ?? [])
          const suggestions = near.filter(isShown).slice(0, 5)
          const address = shortAddress(integration.slug, tool)
          tellRefused(call, { integration: integration.slug, tool }, "ToolNotFoundError")
          return Effect.fail(
            new ToolNotFoundError({
              address,
              suggestions: suggestions.map(({ name }) => shortAddress(integration.slug, name)),
            }),
          )
        })
      }
      report(call, accountCode(error), error)
      return Effect.succeed(accountFailure(error))
    },
  )
}

const report = (
  { resources, identity, integration, tool, override }: SelectingCall,
  code: string,
  error: AccountProblem | undefined,
): void => {
  if (!resources.hasListener) return
  resources.emit(identity, {
    type: "account.not_selected",
    integration: integration.slug,
    tool,
    identityMode: identityModeOf(integration),
    code,
    ...(override === undefined ? {} : { override }),
    ...(error === undefined ? {} : { owner: error.owner }),
    ...(error?.candidates !== undefined ? { candidates: error.candidates.map(({ address }) => address) } : {}),
  })
}

/** Keeps a problem as a value, and tells the host of a refusal; costs nothing where there is neither. */
const chosenOrProblem = <E>(
  call: SelectingCall,
  effect: Effect.Effect<SelectedAccount, E | AmbiguousAccountError | AccountNotFoundError | ConnectionRequiredError>,
): Effect.Effect<SelectedAccount | { readonly error: AccountProblem }, Exclude<E, AccountProblem>> =>
  Exit.isExit(effect) && Exit.isSuccess(effect as Exit.Exit<SelectedAccount, unknown>)
    ? (effect as Exit.Exit<SelectedAccount>)
    : Effect.catch(effect, (error) => {
        if (isAccountProblem(error)) return Effect.succeed({ error })
        const failure = Effect.fail(error as Exclude<E, AccountProblem>)
        if (isRefusal(error)) report(call, error._tag, undefined)
        else tellRefused(call, { integration: call.integration.slug, tool: call.tool }, nameOfError(error))
        return failure
      })

const isRefusal = (error: unknown): error is IdentityModeError | SubjectRequiredError | IdentityConflictError =>
  error instanceof IdentityModeError || error instanceof SubjectRequiredError || error instanceof IdentityConflictError

/** What options of `call`, which a host may pass here too, say otherwise than a full address. */
const optionsFault = (
  connection: ConnectionRef,
  options: CallOptions | undefined,
): IdentityConflictError | InvalidConnectionInputError | undefined => {
  const { identity, account } = options ?? {}
  const fault = faultOf(identity, account)
  if (fault !== undefined) return fault
  const { integration, owner, name } = connection
  if (identity !== undefined && identity !== owner) {
    return new IdentityConflictError({ integration, asked: identity, contradicts: "address" })
  }
  return account === undefined || account === name || account === connectionAddress(connection)
    ? undefined
    : new InvalidConnectionInputError({ field: "account", fault: "the call's address names another one; say it once." })
}

/** Options come from hosts, some of which pass on what others say. */
const faultOf = (identity: Owner | undefined, account: string | undefined): InvalidConnectionInputError | undefined => {
  if (identity !== undefined && identity !== "org" && identity !== "user") {
    return new InvalidConnectionInputError({
      field: "identity",
      fault: `must be "org" or "user"; got ${quote(identity)}.`,
    })
  }
  const given: unknown = account
  return given !== undefined && (typeof given !== "string" || given === "")
    ? new InvalidConnectionInputError({ field: "account", fault: "name an account, or leave it out." })
    : undefined
}
