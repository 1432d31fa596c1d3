/** Accounts that are connected through real flows at an authorization server on the loopback. */
import type { ConnectionRef, Executor } from "@keyward/core"
import type { MisbehavingAuthorizationServer } from "@keyward/core/testing"
import type { resourcePlugin } from "./account.ts"

/** Registers the server's resource and a client for it, and connects each account. */
export const connectAccounts = async (
  executor: Executor<readonly [typeof resourcePlugin]>,
  server: MisbehavingAuthorizationServer,
  refs: ReadonlyArray<ConnectionRef>,
): Promise<void> => {
  await executor.acme.add({
    slug: "files",
    baseUrl: server.origin,
    authTemplates: [{ slug: "oauth", type: "oauth2", scopes: ["files:read"] }],
    config: server.resourceUrl,
  })
  await executor.oauth.createClient({
    owner: "org",
    slug: "app",
    grant: "authorization_code",
    clientId: "keyward",
    clientSecret: "client-secret-of-keyward",
    authorizationUrl: server.authorizationUrl,
    tokenUrl: server.tokenUrl,
  })
  for (const ref of refs) {
    const started = await executor.oauth.start({ ...ref, client: "app", clientOwner: "org", template: "oauth" })
    if (started.status !== "redirect") throw new Error(started.status)
    await executor.oauth.complete({ callbackUrl: await server.visit(started.authorizationUrl) })
  }
}
