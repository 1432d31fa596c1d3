/**
 * What happened to the requests of one plugin call: which credential was used, and whether it was turned down.
 *
 * Kept beside the plugin, so that what it throws or returns can be explained truthfully and cleaned of secrets.
 */
import * as Effect from "effect/Effect"
import type { Span } from "effect/Tracer"
import { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import { noAuthorizer, type RequestAuthorizer, type WireResponse } from "../../http/Wire.ts"
import { parseChallenges } from "../../oauth/Challenge.ts"
import type { AuthorizedResponse } from "../authorize/AuthorizedFetch.ts"
import type { CallTrace } from "./CallTrace.ts"
import { redactDeep } from "./redactDeep.ts"

/** See the file's header. */
export class CallRecord {
  /** Why a request could not be authorized, or was turned down, the last time that happened. */
  failure: ConnectionCredentialError | undefined
  /** Whether the plugin got a standard `Response`, whose body nobody has looked through for secrets. */
  hasRawResponse = false
  #authorizer: RequestAuthorizer | undefined
  readonly #connection: string
  readonly #trace: CallTrace | undefined

  constructor(connection: string, trace?: CallTrace) {
    this.#connection = connection
    this.#trace = trace
  }

  /** The call's span, which those of its requests are in. */
  get span(): Span | undefined {
    return this.#trace?.span
  }

  /** Whether the secrets that the call used are known, so that they can be taken out of what is shown. */
  get knowsSecrets(): boolean {
    return this.#authorizer !== undefined
  }

  /** Takes note of where a request is about to go. */
  headFor(url: URL): void {
    if (this.#trace !== undefined) this.#trace.destination = url.origin
  }

  /** Watches one way of sending. */
  watch<E>(sent: Effect.Effect<AuthorizedResponse, E>, isRaw: boolean): Effect.Effect<AuthorizedResponse, E> {
    return Effect.matchEffect(sent, {
      onFailure: (error) => {
        if (error instanceof ConnectionCredentialError) this.failure = error
        return Effect.fail(error)
      },
      onSuccess: (answer) => {
        const { response, authorizer } = answer
        // A request without a credential must not make the others' forgotten.
        if (authorizer !== noAuthorizer) this.#authorizer = authorizer
        if (response.isRedirected) this.headFor(new URL(response.url))
        this.hasRawResponse ||= isRaw
        this.failure = rejection(this.#connection, response, authorizer)
        return Effect.succeed(answer)
      },
    })
  }

  /** Takes note of a credential that went elsewhere than on a request, and that may come back in what the plugin returns. */
  keep(authorizer: RequestAuthorizer): void {
    this.#authorizer = authorizer
    this.hasRawResponse = true
  }

  /** A text without the secrets that this call used. */
  redact(text: string): string {
    return this.#authorizer === undefined ? text : this.#authorizer.redact(text)
  }

  /** A value without the secrets that this call used; the value itself where there is nothing to take out. */
  redactDeep(value: unknown): unknown {
    return this.#authorizer === undefined ? value : redactDeep(value, this.#authorizer)
  }
}

/** The status by which the service turned a credential down, if that is what happened. */
export const rejectionStatus = ({ reason }: ConnectionCredentialError): number | undefined =>
  reason === "http_401" ? 401 : reason === "http_403" ? 403 : undefined

/** What a 401, or a 403 that asks for more scope (RFC 6750, section 3.1), says about the connection. */
export const rejection = (
  connection: string,
  { status, headers }: Pick<WireResponse, "status" | "headers">,
  authorizer: Pick<RequestAuthorizer, "carries">,
): ConnectionCredentialError | undefined => {
  if (status === 401) {
    return new ConnectionCredentialError({
      code: "connection_rejected",
      connection,
      reason: "http_401",
      nextStep: "Save a valid one under the same name, or connect the account again.",
      retryable: false,
      authRequired: true,
    })
  }
  const challenge = headers["www-authenticate"] ?? ""
  if (status === 403 && /\berror\s*=\s*"?insufficient_scope\b/i.test(challenge)) {
    const scope = challengedScope(challenge, authorizer)
    return new ConnectionCredentialError({
      code: "insufficient_scope",
      connection,
      reason: "http_403",
      nextStep: "The credential does not cover this call. Provide one with the permission that the service asks for.",
      retryable: false,
      authRequired: true,
      ...(scope === undefined ? {} : { scope }),
    })
  }
  return undefined
}

/** The scopes of a challenge, where they look like scopes (RFC 6749, section 3.3) and repeat no secret of the request. */
const challengedScope = (challenge: string, authorizer: Pick<RequestAuthorizer, "carries">): string | undefined =>
  parseChallenges(challenge)
    .map(({ parameters }) => parameters.get("scope"))
    .find(
      (scope) => scope !== undefined && /^[\x21\x23-\x5b\x5d-\x7e ]{1,2000}$/.test(scope) && !authorizer.carries(scope),
    )
