/**
 * What can go wrong between a finished request and its response, one class per thing a caller would do differently.
 *
 * Raised by the egress. URLs are reduced to their origin, because paths and queries can hold what nobody should log.
 */
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"

/** The final URL is not at an origin that the integration declared. Nothing was sent. */
export class OriginNotAllowedError extends taggedError<OriginNotAllowedError>()(
  "OriginNotAllowedError",
  { origin: Schema.String, allowed: Schema.Array(Schema.String) },
  403,
) {
  override get message(): string {
    const allowed = this.allowed.length === 0 ? "none is declared" : this.allowed.slice(0, 5).join(", ")
    return `This connection may not send to ${quote(this.origin)} (allowed: ${allowed}). Nothing was sent. Declare the origin on the integration if the credential belongs there.`
  }
}

/** The host is, or resolves to, a private, loopback, link-local or otherwise internal address. Nothing was sent. */
export class AddressNotAllowedError extends taggedError<AddressNotAllowedError>()(
  "AddressNotAllowedError",
  { host: Schema.String, address: Schema.String },
  403,
) {
  override get message(): string {
    const isLiteral = this.host === this.address || this.host === `[${this.address}]`
    const what = isLiteral ? "is an internal address" : `leads to the internal address ${quote(this.address)}`
    return `${quote(this.host)} ${what}. Nothing was sent. If that is intended, list the host in egress.allowHosts.`
  }
}

/** A redirect that must not be followed: to plain http, too many, without a usable target, carrying a credential away, or unwanted by the caller. */
export class RedirectRefusedError extends taggedError<RedirectRefusedError>()(
  "RedirectRefusedError",
  {
    reason: Schema.Literals([
      "downgrade",
      "too_many",
      "invalid_location",
      "carries_credential",
      "body_not_replayable",
      "not_wanted",
    ]),
    from: Schema.String,
    to: Schema.String,
  },
  502,
) {
  override get message(): string {
    return `A redirect from ${quote(this.from)} to ${quote(this.to)} was refused (${this.reason}). ${redirectAdvice[this.reason]}`
  }
}

const redirectAdvice: Record<RedirectRefusedError["reason"], string> = {
  downgrade: "It leads from https to http; ask the service for an https address.",
  too_many: "The service redirects in circles; check the base URL.",
  invalid_location: "Its Location header names no http(s) address; report it to the service.",
  carries_credential: "It would take the credential to another origin; point the base URL at the final address.",
  not_wanted: 'The caller asked for none; leave out redirect: "error" to follow it.',
  body_not_replayable: "The request body is a stream and cannot be sent again; send a string or bytes.",
}

/** The request or its response took longer than the limit; the socket was closed. */
export class EgressTimeoutError extends taggedError<EgressTimeoutError>()(
  "EgressTimeoutError",
  { origin: Schema.String, timeoutMs: Schema.Number, phase: Schema.Literals(["connect", "response", "body"]) },
  504,
) {
  override get message(): string {
    return `${quote(this.origin)} did not finish within ${this.timeoutMs} ms (${this.phase}). Try again later; egress.timeoutMs raises the limit.`
  }
}

/** The response is larger than the cap; the rest was not read. */
export class ResponseTooLargeError extends taggedError<ResponseTooLargeError>()(
  "ResponseTooLargeError",
  { origin: Schema.String, maxResponseBytes: Schema.Number },
  502,
) {
  override get message(): string {
    return `The response of ${quote(this.origin)} is larger than ${this.maxResponseBytes} bytes. Ask for less, or raise egress.maxResponseBytes.`
  }
}

/** The network, TLS or the peer failed below HTTP. `code` is the platform's word for it, such as `ECONNREFUSED`. */
export class NetworkError extends taggedError<NetworkError>()(
  "NetworkError",
  { origin: Schema.String, code: Schema.String },
  502,
) {
  override get message(): string {
    return this.code === transportNotLoaded
      ? `Nothing can be sent to ${quote(this.origin)}: undici could not be loaded (${this.code}). Where the host is bundled, leave undici out of the bundle and install it beside.`
      : `${quote(this.origin)} could not be reached (${this.code}). Check that the service is up and the address is right, then try again.`
  }
}

/** The code where what sends is not there: no fault of the service, and none that passes. */
export const transportNotLoaded = "TRANSPORT_NOT_LOADED"

/** The request itself cannot be sent: a malformed URL, method or header. Nothing was sent. */
export class InvalidRequestError extends taggedError<InvalidRequestError>()(
  "InvalidRequestError",
  { reason: Schema.String },
  400,
) {
  override get message(): string {
    return `The request cannot be sent: ${this.reason}`
  }
}

/** Everything the egress can fail with. */
export type HttpError =
  | OriginNotAllowedError
  | AddressNotAllowedError
  | RedirectRefusedError
  | EgressTimeoutError
  | ResponseTooLargeError
  | NetworkError
  | InvalidRequestError

/** Whether a value is one of the egress' failures. */
export const isHttpError = (value: unknown): value is HttpError =>
  value instanceof OriginNotAllowedError ||
  value instanceof AddressNotAllowedError ||
  value instanceof RedirectRefusedError ||
  value instanceof EgressTimeoutError ||
  value instanceof ResponseTooLargeError ||
  value instanceof NetworkError ||
  value instanceof InvalidRequestError
