/**
 * A certified authorization server in a process of its own: what `accounts.example.com` would be, on a free port of 127.0.0.1.
 *
 * It knows nothing of Keyward. Refresh tokens rotate, and using one twice ends the grant. Instead of showing pages it takes everybody
 * who comes for Ada and lets her agree to whatever is asked. Run with `node authorizationServer.mjs <clients as JSON>`; it says its
 * origin, and each token request, as messages to the process that started it.
 */
import { createServer } from "node:http"
import { Provider } from "oidc-provider"

const server = createServer()
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
const origin = `http://127.0.0.1:${server.address().port}`

const provider = new Provider(origin, {
  clients: JSON.parse(process.argv[2]),
  cookies: { keys: ["a key of this example"] },
  scopes: ["offline_access", "issues:read", "issues:write"],
  pkce: { required: () => true },
  rotateRefreshToken: true,
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (_context, { uid }) => `/agree/${uid}` },
  ttl: {
    AccessToken: 3600,
    AuthorizationCode: 60,
    Grant: 86_400,
    Interaction: 600,
    RefreshToken: 86_400,
    Session: 86_400,
  },
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    revocation: { enabled: true },
  },
})
provider.on("grant.success", (context) => process.send({ granted: context.oidc.params.grant_type }))
provider.on("grant.error", (_context, { error_detail: reason }) => process.send({ rejected: reason }))

const answer = provider.callback()
server.on("request", (request, response) => {
  const answering = request.url.startsWith("/agree/") ? agree(request, response) : answer(request, response)
  answering.catch((error) => response.writeHead(500).end(String(error)))
})
process.send({ origin })

/** The pages on which a person would log in and agree. */
async function agree(request, response) {
  const { prompt, params, grantId } = await provider.interactionDetails(request, response)
  if (prompt.name === "login") {
    return provider.interactionFinished(request, response, { login: { accountId: "ada" } })
  }
  const known = grantId === undefined ? undefined : await provider.Grant.find(grantId)
  const grant = known ?? new provider.Grant({ accountId: "ada", clientId: params.client_id })
  grant.addOIDCScope(params.scope)
  const consent = { grantId: await grant.save() }
  return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true })
}
