/** The clients of the fake authorization server: those it was told of, those that registered, and which of them a request comes from. */
import { randomBytes } from "node:crypto"
import type { AuthorizationServerClient } from "./AuthorizationServerBehaviour.ts"
import type { SoundAnswer } from "./AuthorizationServerFault.ts"

/** See the file's header. */
export class AuthorizationServerClients {
  readonly #clients = new Map<string, AuthorizationServerClient>()
  readonly #registrations = new Map<string, string>()
  readonly #isOpen: () => boolean
  readonly #newSecret: (label: string) => string

  /** `isOpen`: whether clients are served that nobody has heard of. */
  constructor(
    clients: ReadonlyArray<AuthorizationServerClient>,
    isOpen: () => boolean,
    newSecret: (label: string) => string,
  ) {
    for (const client of clients) this.#clients.set(client.clientId, client)
    this.#isOpen = isOpen
    this.#newSecret = newSecret
  }

  /** Whether people may be sent back to a URI on behalf of a client. */
  mayReturnTo(clientId: string, redirectUri: string): boolean {
    const known = this.#clients.get(clientId)
    return known === undefined ? this.#isOpen() : known.redirectUris?.includes(redirectUri) !== false
  }

  /** The client that a request comes from, if it is who it says. Assertions are read, and their signatures not verified. */
  authenticated(parameters: URLSearchParams, authorization: string | undefined): string | undefined {
    const [clientId, secret] = credentialsOf(parameters, authorization)
    const client = this.#clients.get(clientId)
    if (client === undefined) return this.#isOpen() && clientId !== "" ? clientId : undefined
    return client.clientSecret === undefined || client.clientSecret === secret ? clientId : undefined
  }

  /** RFC 7591: takes what is asked for. */
  register(metadata: Readonly<Record<string, unknown>>, origin: string): SoundAnswer {
    const clientId = `client-${randomText()}`
    const method = metadata["token_endpoint_auth_method"] ?? "client_secret_basic"
    const clientSecret = method === "none" || method === "private_key_jwt" ? undefined : this.#newSecret("secret")
    const redirectUris = Array.isArray(metadata["redirect_uris"]) ? metadata["redirect_uris"].map(String) : undefined
    this.#clients.set(clientId, { clientId, clientSecret, redirectUris })
    const registrationToken = this.#newSecret("registration")
    this.#registrations.set(clientId, registrationToken)
    return {
      status: 201,
      json: {
        ...metadata,
        client_id: clientId,
        token_endpoint_auth_method: method,
        ...(clientSecret !== undefined && { client_secret: clientSecret, client_secret_expires_at: 0 }),
        registration_access_token: registrationToken,
        registration_client_uri: `${origin}/register/${clientId}`,
      },
    }
  }

  /** RFC 7592: deletes a registration. */
  unregister(clientId: string, authorization: string | undefined): SoundAnswer {
    if (authorization !== `Bearer ${this.#registrations.get(clientId)}`) return { status: 401 }
    this.#registrations.delete(clientId)
    this.#clients.delete(clientId)
    return { status: 204 }
  }
}

/** Text that nobody guesses. */
export const randomText = (): string => randomBytes(16).toString("hex")

const credentialsOf = (
  parameters: URLSearchParams,
  authorization: string | undefined,
): readonly [clientId: string, secret: string | null] => {
  if (authorization?.startsWith("Basic ") === true) {
    const [id = "", secret = ""] = Buffer.from(authorization.slice(6), "base64").toString("utf8").split(":")
    const decoded = new URLSearchParams(`id=${id}&secret=${secret}`)
    return [decoded.get("id") ?? "", decoded.get("secret")]
  }
  const assertion = parameters.get("client_assertion")
  if (assertion === null) return [parameters.get("client_id") ?? "", parameters.get("client_secret")]
  try {
    const payload = Buffer.from(assertion.split(".")[1] ?? "", "base64url").toString("utf8")
    const { sub } = JSON.parse(payload) as { readonly sub?: unknown }
    return [typeof sub === "string" ? sub : "", null]
  } catch {
    return ["", null]
  }
}
