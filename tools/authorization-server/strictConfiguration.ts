/** How oidc-provider is set up in the runs: one client, everybody consents, and every refresh token is replaced when it is used. */
import { generateKeyPairSync } from "node:crypto"
import { ProviderRecords } from "./ProviderRecords.ts"

interface Context {
  readonly oidc: {
    readonly client: { readonly clientId: string }
    readonly session: { readonly accountId: string }
  }
}

/** A grant of oidc-provider, which nobody has written types for. */
interface Grant {
  addOIDCScope(scope: string): void
  save(): Promise<string>
}

/** `provider.Grant`. */
export type GrantConstructor = new (fields: { readonly accountId: string; readonly clientId: string }) => Grant

/** What `new Provider(origin, …)` takes; `grantOf` gives that provider's `Grant`. */
export const strictConfiguration = (accessTokenSeconds: number, grantOf: () => GrantConstructor) => ({
  adapter: ProviderRecords,
  jwks: { keys: [{ ...generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" }) }] },
  cookies: { keys: ["a key of the run"] },
  clients: [
    {
      client_id: "keyward",
      client_secret: "the secret of keyward",
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: ["http://127.0.0.1:4319/oauth/callback"],
      id_token_signed_response_alg: "ES256",
    },
  ],
  scopes: ["openid", "offline_access", "read"],
  pkce: { required: () => true },
  rotateRefreshToken: () => true,
  issueRefreshToken: () => Promise.resolve(true),
  expiresWithSession: () => Promise.resolve(false),
  findAccount: (_: unknown, accountId: string) => ({ accountId, claims: () => Promise.resolve({ sub: accountId }) }),
  loadExistingGrant: async ({ oidc }: Context) => {
    const Grant = grantOf()
    const grant = new Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId })
    grant.addOIDCScope("read")
    await grant.save()
    return grant
  },
  interactions: { url: (_: unknown, { uid }: { readonly uid: string }) => `/interaction/${uid}` },
  features: { devInteractions: { enabled: false } },
  ttl: {
    AccessToken: () => accessTokenSeconds,
    AuthorizationCode: () => 60,
    Grant: () => 86_400,
    IdToken: () => 60,
    Interaction: () => 60,
    RefreshToken: () => 86_400,
    Session: () => 60,
  },
})
