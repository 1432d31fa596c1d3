/**
 * How a provider departs from the standards, put together from an integration's template and a client.
 */
import type { AuthTemplate } from "../../auth/AuthTemplate.ts"
import type { OAuthQuirks } from "../../auth/OAuthQuirks.ts"
import type { OAuthClientRecord } from "../../oauth/OAuthClient.ts"

/**
 * The template's, and over them the client's. Which hosts besides its own get the client's secret, only the client says: an
 * integration that may name hosts could have somebody else's client, and what it obtains, sent to its author.
 */
export const quirksOf = (template: AuthTemplate | undefined, client: Pick<OAuthClientRecord, "quirks">): OAuthQuirks =>
  withClientQuirks(templateQuirks(template), client)

/** A template's own, for records that outlive it. */
export const templateQuirks = (template: AuthTemplate | undefined): OAuthQuirks =>
  template?.type === "oauth2" ? (template.quirks ?? {}) : {}

/** The client's over those of a template. */
export const withClientQuirks = (quirks: OAuthQuirks, client: Pick<OAuthClientRecord, "quirks">): OAuthQuirks => ({
  ...quirks,
  tokenHosts: undefined,
  ...client.quirks,
})
