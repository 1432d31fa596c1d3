/**
 * Policy about a request of a caller's own (`connections.fetch`), which rules see as a tool called `fetch`.
 *
 * What such a request does is said by its method and by the headers that replace it, alone. The host's own code is not asked about unless a rule says so: the host wrote it.
 * An agent's request that writes is a write of unknown effect, about which a person is asked as about any such tool, and reads where it
 * goes and what is sent. Nothing can wait for an answer here: where nobody answers now, the request is refused.
 */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { bindUrl } from "../../http/originBinding.ts"
import type { UnboundRequest } from "../../http/standardFetch.ts"
import type { WireBody } from "../../http/Wire.ts"
import { accessOfRequest } from "../../policy/AccessScope.ts"
import type { Decision } from "../../policy/decide.ts"
import { ElicitationDeclinedError } from "../../tool/Elicitation.ts"
import type { ToolDef } from "../../tool/Tool.ts"
import { toolAddress } from "../../tool/ToolAddress.ts"
import { checkFetch } from "../agents/access.ts"
import { andThen } from "../andThen.ts"
import type { CallTrace } from "../call/CallTrace.ts"
import type { Resources } from "../Resources.ts"
import { type SelectedConnection, usableTemplate } from "../select/ConnectionSelector.ts"
import type { AgreedCallError } from "./agreedCall.ts"
import { askApproval } from "./askApproval.ts"
import { blockedError, decisionOn } from "./policyCheck.ts"

/** Whether the caller is still whom it was taken for; asked once more when a person has taken their time. */
type Admitted = Effect.Effect<void, Error>

/** Fails unless rules, and where they want one asked a person, let a caller send a request. Nothing is sent before. */
export const permitRequest = (
  resources: Resources,
  selected: SelectedConnection,
  request: UnboundRequest,
  admitted: Admitted,
  trace: CallTrace | undefined,
): Effect.Effect<void, Error> => {
  const tool = toolOf(selected, request)
  return andThen(decisionOn(resources, selected, tool, trace), (decision): Effect.Effect<void, Error> => {
    if (decision.action === "approve") return Effect.void
    const { onElicitation } = resources
    if (decision.action === "require_approval") {
      if (onElicitation === "accept-all") return Effect.void
      if (typeof onElicitation === "function" && !(request.body instanceof ReadableStream)) {
        return Effect.andThen(ask(resources, selected, request, tool, decision, trace), admitted)
      }
    }
    return Effect.fail(blockedError(selected, tool.name, decision))
  })
}

const ask = (
  resources: Resources,
  selected: SelectedConnection,
  request: UnboundRequest,
  tool: ToolDef,
  decision: Decision,
  trace: CallTrace | undefined,
): Effect.Effect<void, AgreedCallError> =>
  Effect.gen(function* () {
    const { method, headers } = request
    const bound = Effect.option(Effect.suspend(() => bindUrl(request.url, selected.compiled.binding)))
    const url = yield* bound
    // Nobody is asked about what cannot be sent. Sending says why.
    if (Option.isNone(url) || Option.isNone(yield* Effect.option(usableTemplate(selected)))) return
    const body = textOf(request.body)
    const args = { method, url: url.value.href, ...(body === undefined ? {} : { body }), headers }
    const instead = yield* askApproval(
      resources,
      {
        selected,
        tool,
        args,
        given: args,
        decision,
        conversation: undefined,
        again: (now) => Effect.as(checkFetch(now, request), tool),
      },
      resources.onElicitation,
      trace,
    )
    // Whoever holds a URL object could have changed it while the person read it; the rest is a copy.
    const now = yield* bound
    const isSame = Option.isSome(now) && now.value.href === args.url
    // A result instead of the call says that the credential cannot be used any more.
    if (instead !== undefined || !isSame) {
      const address = toolAddress(selected.row, tool.name)
      return yield* Effect.fail(new ElicitationDeclinedError({ tool: address, action: "changed" }))
    }
  })

const toolOf = ({ identity }: SelectedConnection, request: UnboundRequest): ToolDef =>
  identity.agent === undefined || accessOfRequest(request) === "read" ? readingRequest : writingRequest

/** As plugins describe tools; the host's own to use, whatever it sends. */
const readingRequest: ToolDef = { name: "fetch", annotations: { readOnlyHint: true } }
/** Nothing is known of what it does. */
const writingRequest: ToolDef = { name: "fetch", description: "Sends a request as it is." }

/** A body as people read it; what is no text, by its length and digest. */
const textOf = (body: WireBody): string | undefined => {
  if (body === null || typeof body === "string") return body ?? undefined
  if (body instanceof ReadableStream) return undefined
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body)
  } catch {
    return `${body.length} bytes, SHA-256 ${createHash("sha256").update(body).digest("hex")}`
  }
}
