/**
 * What a redirect URI may be, and what it makes of an application: RFC 6749, section 3.1.2, and RFC 8252 for applications on a
 * person's own machine.
 *
 * Checked before a URI is published or registered.
 */

/** What is wrong with a redirect URI, as the end of a sentence; `undefined`: nothing. */
export const redirectUriFault = (uri: string): string | undefined => {
  const url = /^[\x21-\x7e]+$/.test(uri) ? URL.parse(uri) : null
  if (url === null) return "is not an absolute URI."
  if (uri.includes("#")) return "must not have a fragment."
  if (url.username !== "" || url.password !== "") return "must not hold user information."
  if (url.protocol === "https:" || isLoopback(url)) return undefined
  if (url.protocol === "http:") return "must be https, except on loopback: authorization codes would travel in clear."
  // RFC 8252, section 7.1: private-use schemes are domain names in reverse. It also keeps out `javascript:` and its like.
  return url.protocol.includes(".")
    ? undefined
    : "must be https, http on loopback, or a scheme such as com.example.app."
}

/** `application_type` of OpenID Connect Registration: `native` where an answer comes to the person's own machine. */
export const applicationType = (redirectUris: ReadonlyArray<string>): "native" | "web" =>
  redirectUris.some((uri) => {
    const url = URL.parse(uri)
    return url !== null && (url.protocol !== "https:" || isLoopbackHost(url.hostname))
  })
    ? "native"
    : "web"

const isLoopback = (url: URL): boolean => url.protocol === "http:" && isLoopbackHost(url.hostname)

const isLoopbackHost = (hostname: string): boolean => /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname)
