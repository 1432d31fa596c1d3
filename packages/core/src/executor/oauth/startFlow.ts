/**
 * `oauth.start`: from what a host asks for to where a person is sent, or at once to the connection where nobody has to be asked.
 *
 * Everything that can be refused is refused here, before anybody leaves for another site.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { connectionKey } from "../../connection/ConnectionRef.ts"
import type { Identity } from "../../identity/Identity.ts"
import { scopeUnion } from "../../oauth/TokenSet.ts"
import { checkedText } from "../connections/connectionInput.ts"
import { refuseSharedName } from "../connections/refuseSharedName.ts"
import type { Resources } from "../Resources.ts"
import { pluginOf } from "../select/ConnectionSelector.ts"
import { checkSameServer, serverOf } from "./clientServer.ts"
import { mintAtOnce } from "./mintAtOnce.ts"
import { findFlow, type OAuthFlow, startFailure } from "./OAuthFlow.ts"
import { protocolOf } from "./protocol.ts"
import { startPaying } from "./RevocationOutbox.ts"
import { startAuthorizationCode } from "./startAuthorizationCode.ts"
import { startDevice } from "./startDevice.ts"
import type { StartingFlow, StartOAuthError, StartOAuthInput, StartOAuthResult, WiderScope } from "./StartingFlow.ts"

/** See the file's header. `wider` is for a connection that needs more than its template asks for. */
export const startFlow = (
  resources: Resources,
  identity: Identity,
  input: StartOAuthInput,
  wider: WiderScope = { scope: null, stepUps: 0 },
): Effect.Effect<StartOAuthResult, StartOAuthError> =>
  Effect.gen(function* () {
    const key = yield* connectionKey(identity, input)
    yield* checkedText("identityLabel", input.identityLabel)
    yield* refuseSharedName(resources, key)
    const flow = yield* findFlow(resources, identity, key, input)
    const starting = yield* toStart(resources, flow, input, wider)
    yield* tidy(resources, identity.tenant)
    return yield* begin(resources, starting)
  })

const toStart = (
  resources: Resources,
  flow: OAuthFlow,
  input: StartOAuthInput,
  wider: WiderScope,
): Effect.Effect<StartingFlow, StartOAuthError> =>
  Effect.gen(function* () {
    yield* pluginOf(resources, flow.integration)
    yield* resources.providers.defaultWritable()
    const { record } = flow.client
    const protocol = yield* protocolOf(resources)
    const server = yield* serverOf(protocol, record)
    yield* checkSameServer(server, record, flow.template)
    if (server.tokenUrl === null) return yield* startFailure("token_endpoint_missing", "the server names none.")
    const isAsked = record.grant === "authorization_code" || record.grant === deviceCode
    // Without it many servers give nothing to renew an access token with.
    const offline = isAsked && server.scopesSupported?.includes("offline_access") === true ? "offline_access" : null
    const asked = scopeUnion(flow.template.scopes?.join(" "), wider.scope)
    const { credential } = flow.client
    return {
      ...flow,
      // As the server's own document spells it, which is what it compares the audience of an assertion with.
      client: { record, credential: { ...credential, issuer: server.issuer } },
      protocol,
      server,
      tokenUrl: server.tokenUrl,
      // Alone it would stand in place of the scopes that the server gives to those who ask for none.
      scope: asked === null ? null : scopeUnion(asked, offline),
      resource: record.resource ?? flow.template.resource ?? null,
      dpop: record.dpop || flow.template.dpop === true,
      input,
      stepUps: wider.stepUps,
    }
  })

const begin = (resources: Resources, flow: StartingFlow): Effect.Effect<StartOAuthResult, StartOAuthError> => {
  switch (flow.client.record.grant) {
    case "authorization_code":
      return startAuthorizationCode(resources, flow)
    case deviceCode:
      return startDevice(resources, flow)
    default:
      return mintAtOnce(resources, flow)
  }
}

const deviceCode = "urn:ietf:params:oauth:grant-type:device_code"

/** What others left: flows that nobody finished, and revocations that are owed. */
const tidy = (resources: Resources, tenant: string): Effect.Effect<void> =>
  Effect.andThen(
    resources.inBackground(
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.asVoid(resources.store.oauth.sessions.removeExpired(tenant, now)),
      ),
    ),
    startPaying(resources, tenant),
  )
