/**
 * What a request carries besides a token that is bound to a key. Implemented by dpopProofs.ts, used by the authorized fetch.
 */
import type * as Effect from "effect/Effect"
import type { CredentialValues } from "../../auth/applyAuth.ts"
import type { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import type { RequestAuthorizer, WireResponse } from "../../http/Wire.ts"

/** Proves with each request that the sender holds the key which a token is bound to ([RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)). */
export interface ProofOfPossession {
  /** The authorizer that also places a proof, a fresh one on each request and hop. */
  readonly bind: (
    authorizer: RequestAuthorizer,
    values: CredentialValues,
  ) => Effect.Effect<RequestAuthorizer, ConnectionCredentialError>
  /** Remembers the nonce that an answer gave. Answers whether the request was turned down for want of it. */
  readonly heed: (url: URL, response: Pick<WireResponse, "status" | "headers">) => boolean
}
