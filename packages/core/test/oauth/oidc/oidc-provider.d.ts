/** The part of oidc-provider that the tests use; the package ships no types. */
declare module "oidc-provider" {
  import type { IncomingMessage, ServerResponse } from "node:http"

  /** What event listeners get of a request. */
  export interface EventContext {
    readonly oidc?: {
      readonly params?: Readonly<Record<string, unknown>>
      readonly client?: { readonly clientId: string }
    }
  }

  export interface StoredAccessToken {
    readonly isValid: boolean
    readonly scope?: string
  }

  export class Provider {
    constructor(issuer: string, configuration: object)
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>
    on(event: string, listener: (...given: ReadonlyArray<never>) => void): this
    readonly AccessToken: { find(token: string): Promise<StoredAccessToken | undefined> }
  }

  export default Provider
}
