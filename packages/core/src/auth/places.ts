/**
 * Where a credential can stand: usable names of headers, query parameters, cookies and environment variables, and the text each may hold.
 *
 * Templates are checked against it when they are registered, values when they are applied. Specs:
 * [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-5), [RFC 6265](https://www.rfc-editor.org/rfc/rfc6265#section-4.1.1).
 */

/** A part of a template that holds placements. */
export type CredentialPlace = "headers" | "queryParams" | "cookies" | "env"

/** Why no credential can be placed under a name, as the end of a sentence about it; `undefined` where one can. */
export const placeFault = (place: CredentialPlace, name: string): string | undefined => {
  switch (place) {
    case "queryParams":
      return name === "" || !name.isWellFormed() ? "is not a usable parameter name." : undefined
    case "env":
      if (!environmentName.test(name) || name === "__proto__") return "is not a usable name of a variable."
      return steering.test(name) ? "decides what a process runs; a credential cannot stand there." : undefined
    case "cookies":
      return token.test(name) ? undefined : "is not a usable cookie name."
    case "headers": {
      const folded = name.toLowerCase()
      // A header `__proto__` would set the prototype of a record of headers instead.
      if (!token.test(name) || folded === "__proto__") return "is not a usable header name."
      if (folded === "cookie") return "use `cookies` for cookies."
      return framing.has(folded) ? "is a header that Keyward sets itself." : undefined
    }
  }
}

/** Whether a literal part of a template can be sent in a place. */
export const isLiteralOf = (place: CredentialPlace, text: string): boolean => literals[place].test(text)

/* eslint-disable no-control-regex -- these say which control characters may not be sent */
/** What a header may hold. */
export const headerText = /^[\t\u0020-\u007e\u0080-\u00ff]*$/

/** What a cookie may hold. */
export const cookieText = /^[\u0021\u0023-\u002b\u002d-\u003a\u003c-\u005b\u005d-\u007e]*$/

const literals: Readonly<Record<CredentialPlace, RegExp>> = {
  headers: headerText,
  queryParams: /^[^\u0000-\u001f\u007f\ud800-\udfff]*$/u,
  cookies: cookieText,
  env: /^[^\u0000\ud800-\udfff]*$/u,
}
/* eslint-enable no-control-regex */

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** Headers that frame or route the message; a credential there would change where or how it is sent. */
const framing = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "upgrade",
  "te",
  "trailer",
  "expect",
])

const environmentName = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/

/** Variables by which a value could make a process load or run something else. */
const steering =
  /^(PATH|HOME|SHELL|IFS|ENV|BASH_ENV|NODE_OPTIONS|NODE_PATH|PYTHON(PATH|STARTUP|HOME)|RUBY(OPT|LIB)|PERL5?(OPT|LIB|DB)|JAVA_TOOL_OPTIONS|LD_.*|DYLD_.*|GIT_.*)$/i
