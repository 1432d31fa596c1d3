/**
 * Where an integration wants a credential: a list of templates that connections choose from by slug.
 *
 * Written by plugin authors and hosts in the request-shaped dialect below, checked by `parseAuthTemplates`, stored as plain JSON.
 * Placing values is `applyAuth`'s work.
 */
import * as Schema from "effect/Schema"
import { taggedError } from "../error/KeywardError.ts"
import type { OAuthQuirks } from "./OAuthQuirks.ts"

/** A hole in a template, filled with a credential value when a request leaves. */
export interface Variable {
  readonly variable: string
}

/** Names a hole: `[variable("token")]`, `["Token ", variable("token")]`. */
export const variable = (name: string): Variable => ({ variable: name })

/** A literal, or a hole. */
export type AuthPart = string | Variable

/** Values by the name of the header, query parameter or cookie; parts are joined. */
export type Placements = Readonly<Record<string, ReadonlyArray<AuthPart>>>

interface PlacementFields {
  readonly headers?: Placements | undefined
  readonly queryParams?: Placements | undefined
  readonly cookies?: Placements | undefined
  /**
   * Environment variables of the process that a plugin starts for the connection, such as an MCP server that is a local command. Never
   * part of a request.
   */
  readonly env?: Placements | undefined
}

/** No credential. Every integration has it under the slug `none`. */
export interface NoneTemplate {
  readonly slug: string
  readonly type: "none"
}

/** HTTP Basic ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)) from the variables `username` and `password`, plus placements. */
export interface BasicTemplate extends PlacementFields {
  readonly slug: string
  readonly type: "basic"
}

/** `Authorization: Bearer <token>` ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)) from the variable `token`, plus placements. */
export interface BearerTemplate extends PlacementFields {
  readonly slug: string
  readonly type: "bearer"
}

/** Static keys in headers, query parameters and cookies, of one or several variables. */
export interface ApiKeyTemplate extends PlacementFields {
  readonly slug: string
  readonly type: "apiKey"
}

/** An access token that an OAuth flow obtained, sent as a bearer token, plus placements. Declares what to ask for. */
export interface OAuth2Template extends PlacementFields {
  readonly slug: string
  readonly type: "oauth2"
  readonly scopes?: ReadonlyArray<string> | undefined
  readonly issuer?: string | undefined
  readonly authorizationUrl?: string | undefined
  readonly tokenUrl?: string | undefined
  /** Where `oauth.connect` registers a client at a server that publishes no metadata. With an issuer, its metadata says so. */
  readonly registrationUrl?: string | undefined
  /** The resource indicator ([RFC 8707](https://www.rfc-editor.org/rfc/rfc8707)). */
  readonly resource?: string | undefined
  readonly dpop?: boolean | undefined
  readonly authorizationParams?: Readonly<Record<string, string>> | undefined
  /** How the provider departs from the standards; plain data. */
  readonly quirks?: OAuthQuirks | undefined
}

/** One way for an integration's connections to authenticate, as it is written and stored. */
export type AuthTemplate = NoneTemplate | BasicTemplate | BearerTemplate | ApiKeyTemplate | OAuth2Template

/** The shape of the credential behind a template. */
export type AuthFamily = "none" | "basic" | "bearer" | "apikey" | "oauth2"

/** The slug that binds nothing. */
export const noAuthSlug = "none"

/** One value on the request, ready to be filled. */
export interface Placement {
  readonly location: "header" | "query" | "cookie"
  /** Header names in lower case. */
  readonly name: string
  readonly parts: ReadonlyArray<AuthPart>
  /** How the joined parts become the value. */
  readonly encoding: "plain" | "basic"
}

/** One variable of a process's environment, ready to be filled. */
interface EnvironmentPlacement {
  readonly name: string
  readonly parts: ReadonlyArray<AuthPart>
}

/** A checked template in the form that is applied. */
export interface CompiledTemplate {
  readonly slug: string
  readonly family: AuthFamily
  /** Each variable once, in the order of appearance. */
  readonly variables: ReadonlyArray<string>
  /** On requests. */
  readonly placements: ReadonlyArray<Placement>
  /** In the environment of a process, and nowhere else. */
  readonly environment: ReadonlyArray<EnvironmentPlacement>
}

/** A template that cannot work as written; `path` leads to the fault. */
export class InvalidAuthTemplateError extends taggedError<InvalidAuthTemplateError>()(
  "InvalidAuthTemplateError",
  { path: Schema.String, expected: Schema.String },
  400,
) {
  override get message(): string {
    return `${this.path}: ${this.expected}`
  }
}

/** The form of a checked template that `applyAuth` fills. */
export const compileTemplate = (template: AuthTemplate): CompiledTemplate => {
  const placements = template.type === "none" ? [] : [...ownPlacements(template), ...authoredPlacements(template)]
  const environment =
    template.type === "none" ? [] : Object.entries(template.env ?? {}).map(([name, parts]) => ({ name, parts }))
  const variables = new Set<string>()
  for (const { parts } of [...placements, ...environment]) {
    for (const part of parts) if (typeof part !== "string") variables.add(part.variable)
  }
  return { slug: template.slug, family: familyOf(template), variables: [...variables], placements, environment }
}

/** The family a template belongs to. */
export const familyOf = (template: AuthTemplate): AuthFamily => (template.type === "apiKey" ? "apikey" : template.type)

/** The template that is there without being declared. */
export const noneTemplate: NoneTemplate = { slug: noAuthSlug, type: "none" }

const ownPlacements = (template: Exclude<AuthTemplate, NoneTemplate>): ReadonlyArray<Placement> => {
  switch (template.type) {
    case "basic":
      return [authorization([variable("username"), ":", variable("password")], "basic")]
    case "bearer":
    case "oauth2":
      return [authorization(["Bearer ", variable("token")], "plain")]
    case "apiKey":
      return []
  }
}

const authorization = (parts: ReadonlyArray<AuthPart>, encoding: Placement["encoding"]): Placement => ({
  location: "header",
  name: "authorization",
  parts,
  encoding,
})

const authoredPlacements = (template: PlacementFields): ReadonlyArray<Placement> => [
  ...placed("header", template.headers),
  ...placed("query", template.queryParams),
  ...placed("cookie", template.cookies),
]

const placed = (location: Placement["location"], placements: Placements | undefined): ReadonlyArray<Placement> =>
  Object.entries(placements ?? {}).map(([name, parts]) => ({
    location,
    name: location === "header" ? name.toLowerCase() : name,
    parts,
    encoding: "plain",
  }))
