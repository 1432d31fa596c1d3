/**
 * What a person has to do where nobody has connected the account that a call needs: the templates with what each asks for, where to
 * authorize if a flow can be started, and where the host sends people.
 *
 * Called by the account selector, on its way to a result that a model reads. Tells an agent no more than that nothing is granted.
 */
import * as Effect from "effect/Effect"
import { type AuthTemplate, compileTemplate, noneTemplate } from "../../auth/AuthTemplate.ts"
import { type AccountCandidate, ConnectionRequiredError } from "../../connection/AccountError.ts"
import { connectionAddress, type ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { Identity } from "../../identity/Identity.ts"
import { identityModeOf, type IntegrationRecord } from "../../integration/Integration.ts"
import { firstFlowUrl } from "../oauth/firstFlowUrl.ts"
import type { Resources } from "../Resources.ts"
import { connectUrlOf, isTheirsToConnect } from "./whoConnects.ts"

/** The error for a connection that is not there; see the file's header. Quietly: begins no flow. */
export const connectionRequired = (
  resources: Resources,
  identity: Identity,
  integration: IntegrationRecord,
  ref: ConnectionRef,
  way: "quietly" | "offering",
  shared: ReadonlyArray<AccountCandidate> = [],
): Effect.Effect<ConnectionRequiredError> =>
  Effect.gen(function* () {
    const mode = identityModeOf(integration)
    const templates = integration.authTemplates.length === 0 ? [noneTemplate] : integration.authTemplates
    const isAgent = identity.agent !== undefined
    const isTheirs = isTheirsToConnect(identity, ref.owner, mode)
    const isOffering = way === "offering" && isTheirs && !isAgent
    const authorizeUrl = !isOffering ? undefined : yield* firstFlowUrl(resources, identity, integration, ref)
    const connectUrl = isAgent ? undefined : connectUrlOf(resources, identity, ref)
    return new ConnectionRequiredError({
      integration: integration.slug,
      owner: ref.owner,
      mode,
      connection: connectionAddress(ref),
      templates: templates.map((template) => ({
        slug: template.slug,
        type: template.type,
        fields: fieldsOf(template),
      })),
      nextStep: nextStepOf({ isAgent, isTheirs, authorizeUrl, connectUrl }),
      ...(authorizeUrl === undefined ? {} : { authorizeUrl }),
      ...(connectUrl === undefined ? {} : { connectUrl }),
      ...(shared.length === 0 ? {} : { candidates: shared }),
    })
  })

/** What a person pastes for a template. */
const fieldsOf = (template: AuthTemplate): ReadonlyArray<string> =>
  template.type === "oauth2" ? [] : compileTemplate(template).variables

const nextStepOf = ({
  isAgent,
  isTheirs,
  authorizeUrl,
  connectUrl,
}: {
  readonly isAgent: boolean
  readonly isTheirs: boolean
  readonly authorizeUrl: string | undefined
  readonly connectUrl: string | undefined
}): string => {
  if (isAgent) return "Somebody has to grant this agent a connection of it, and then repeat the call."
  if (authorizeUrl !== undefined) return "The person follows authorizeUrl; then repeat the call."
  const who = isTheirs ? "The person connects it" : "An administrator connects it"
  const how = connectUrl === undefined ? "with connections.create or oauth.connect" : "at connectUrl"
  return `${who} ${how}; then repeat the call.`
}
