/**
 * What the fake authorization server knows and decides: codes, tokens in families, devices. No wire and no faults.
 *
 * A small part of RFC 6749 and its companions, strict where a client can go wrong: codes and refresh tokens are spent once, and
 * using a spent one revokes everything that came from the same grant.
 */
import { createHash, randomBytes } from "node:crypto"
import type { AuthorizationServerBehaviour } from "./AuthorizationServerBehaviour.ts"
import { AuthorizationServerClients, randomText } from "./AuthorizationServerClients.ts"
import type { SoundAnswer } from "./AuthorizationServerFault.ts"

/** What a person once allowed a client, and whether it still holds. */
export interface AuthorizationServerGrant {
  readonly id: string
  readonly clientId: string
  readonly scope: string
  readonly resource: string | null
  /** Why it ended; `null` while it holds. `reuse`: a spent refresh token was used; `replay`: a spent code was. */
  readonly endedBy: "reuse" | "replay" | "revocation" | "host" | null
}

type Grant = { -readonly [Name in keyof AuthorizationServerGrant]: AuthorizationServerGrant[Name] }

interface Code {
  readonly grant: Grant
  readonly redirectUri: string | null
  readonly challenge: string | null
  isSpent: boolean
}

interface RefreshToken {
  readonly grant: Grant
  spentAt: number | null
}

interface AccessToken {
  readonly grant: Grant
  readonly scope: string
  readonly expiresAt: number | null
}

interface Device {
  readonly clientId: string
  readonly scope: string
  polls: number
}

/** See the file's header. */
export class AuthorizationServerState {
  readonly grants: Array<Grant> = []
  /** Every code, token, device code and secret that was handed out, for scanners of leaks. */
  readonly secrets: Array<string> = []
  /** How often a spent refresh token was used, granted or not. */
  reuses = 0
  behaviour: AuthorizationServerBehaviour
  readonly #clients: AuthorizationServerClients
  readonly #pushed = new Map<string, URLSearchParams>()
  readonly #codes = new Map<string, Code>()
  readonly #refreshTokens = new Map<string, RefreshToken>()
  readonly #accessTokens = new Map<string, AccessToken>()
  readonly #devices = new Map<string, Device>()

  constructor(behaviour: AuthorizationServerBehaviour) {
    this.behaviour = behaviour
    this.#clients = new AuthorizationServerClients(
      behaviour.clients ?? [],
      () => this.behaviour.clients === undefined,
      (label) => this.#secret(label),
    )
  }

  /** Answers an authorization request as a person who approves or denies. */
  authorize(query: URLSearchParams, issuer: string, isDenied: boolean): SoundAnswer {
    const parameters = this.#parametersOf(query)
    const redirectUri = parameters?.get("redirect_uri")
    const clientId = parameters?.get("client_id")
    if (parameters === undefined || clientId == null || redirectUri == null || !URL.canParse(redirectUri)) {
      return oauthError("invalid_request")
    }
    if (!this.#clients.mayReturnTo(clientId, redirectUri)) {
      return oauthError("invalid_request", "Unknown client or redirect_uri.")
    }
    const callback = new URL(redirectUri)
    const state = parameters.get("state")
    if (state !== null) callback.searchParams.set("state", state)
    callback.searchParams.set("iss", issuer)
    if (isDenied) callback.searchParams.set("error", "access_denied")
    else {
      const code = this.#secret("code")
      const challenge = parameters.get("code_challenge")
      this.#codes.set(code, { grant: this.#grant(clientId, parameters), redirectUri, challenge, isSpent: false })
      callback.searchParams.set("code", code)
    }
    return { status: 302, redirect: callback.href }
  }

  /** RFC 9126. */
  push(parameters: URLSearchParams, authorization: string | undefined): SoundAnswer {
    const client = this.#clients.authenticated(parameters, authorization)
    if (client === undefined) return invalidClient
    const uri = `urn:ietf:params:oauth:request_uri:${randomText()}`
    parameters.set("client_id", client)
    this.#pushed.set(uri, parameters)
    return { status: 201, json: { request_uri: uri, expires_in: 60 } }
  }

  /** The token endpoint. */
  token(parameters: URLSearchParams, authorization: string | undefined): SoundAnswer {
    const clientId = this.#clients.authenticated(parameters, authorization)
    if (clientId === undefined) return invalidClient
    switch (parameters.get("grant_type")) {
      case "authorization_code":
        return this.#redeem(parameters, clientId)
      case "refresh_token":
        return this.#refresh(parameters, clientId)
      case "urn:ietf:params:oauth:grant-type:device_code":
        return this.#poll(parameters, clientId)
      case "client_credentials":
      case "urn:ietf:params:oauth:grant-type:jwt-bearer":
        return this.#issue(this.#grant(clientId, parameters), { isRefreshable: false })
      case "urn:ietf:params:oauth:grant-type:token-exchange": {
        const answer = this.#issue(this.#grant(clientId, parameters), { isRefreshable: false })
        const type = "urn:ietf:params:oauth:token-type:access_token"
        return { ...answer, json: { ...answer.json, issued_token_type: type } }
      }
      default:
        return oauthError("unsupported_grant_type")
    }
  }

  /** RFC 8628. */
  deviceAuthorization(parameters: URLSearchParams, authorization: string | undefined, origin: string): SoundAnswer {
    const clientId = this.#clients.authenticated(parameters, authorization)
    if (clientId === undefined) return invalidClient
    const deviceCode = this.#secret("device")
    const userCode = randomBytes(4).toString("hex").toUpperCase()
    this.#devices.set(deviceCode, { clientId, scope: parameters.get("scope") ?? "", polls: 0 })
    const { interval = 5 } = this.behaviour.device ?? {}
    return {
      status: 200,
      json: {
        device_code: deviceCode,
        user_code: userCode,
        verification_uri: `${origin}/device`,
        verification_uri_complete: `${origin}/device?user_code=${userCode}`,
        expires_in: 600,
        ...(interval !== null && { interval }),
      },
    }
  }

  /** RFC 7009: always 200, once the client is who it says. */
  revoke(parameters: URLSearchParams, authorization: string | undefined): SoundAnswer {
    const clientId = this.#clients.authenticated(parameters, authorization)
    if (clientId === undefined) return invalidClient
    const token = parameters.get("token") ?? ""
    const { grant } = this.#refreshTokens.get(token) ?? {}
    if (grant?.clientId === clientId) grant.endedBy ??= "revocation"
    this.#accessTokens.delete(token)
    return { status: 200 }
  }

  /** RFC 7591. */
  register(metadata: Readonly<Record<string, unknown>>, origin: string): SoundAnswer {
    return this.#clients.register(metadata, origin)
  }

  /** RFC 7592: deletes a registration. */
  unregister(clientId: string, authorization: string | undefined): SoundAnswer {
    return this.#clients.unregister(clientId, authorization)
  }

  /** The grant and scope of an access token that may be used now. */
  resourceAccess(
    accessToken: string,
  ): { readonly grant: AuthorizationServerGrant; readonly scope: string } | undefined {
    const found = this.#accessTokens.get(accessToken)
    if (found === undefined || found.grant.endedBy !== null) return undefined
    return found.expiresAt !== null && found.expiresAt <= this.#now() ? undefined : found
  }

  /** From now on no access token that was handed out works. */
  expireAccessTokens(): void {
    this.#accessTokens.clear()
  }

  /** Ends every grant, as when a person withdraws them. */
  endGrants(): void {
    for (const grant of this.grants) grant.endedBy ??= "host"
  }

  #redeem(parameters: URLSearchParams, clientId: string): SoundAnswer {
    const code = this.#codes.get(parameters.get("code") ?? "")
    if (code === undefined || code.grant.clientId !== clientId) return oauthError("invalid_grant")
    if (code.isSpent) {
      code.grant.endedBy ??= "replay"
      return oauthError("invalid_grant", "The code was used before.")
    }
    const verifier = parameters.get("code_verifier")
    const challenge = verifier === null ? null : createHash("sha256").update(verifier).digest("base64url")
    if (code.challenge !== challenge) return oauthError("invalid_grant", "The code_verifier does not match.")
    if (code.redirectUri !== parameters.get("redirect_uri")) return oauthError("invalid_grant", "Wrong redirect_uri.")
    code.isSpent = true
    return this.#issue(code.grant, { isRefreshable: this.behaviour.issuesRefreshTokens ?? true })
  }

  #refresh(parameters: URLSearchParams, clientId: string): SoundAnswer {
    const token = this.#refreshTokens.get(parameters.get("refresh_token") ?? "")
    if (token === undefined || token.grant.clientId !== clientId || token.grant.endedBy !== null) {
      return oauthError("invalid_grant")
    }
    const scope = parameters.get("scope") ?? token.grant.scope
    const granted = new Set(token.grant.scope.split(" "))
    if (scope !== "" && !scope.split(" ").every((one) => granted.has(one))) return oauthError("invalid_scope")
    const { rotation = "strict", graceMs = 30_000 } = this.behaviour
    if (rotation === "none") return this.#issue(token.grant, { isRefreshable: false, scope })
    if (token.spentAt !== null) {
      this.reuses += 1
      if (rotation === "strict" || this.#now() - token.spentAt > graceMs) {
        token.grant.endedBy = "reuse"
        return oauthError("invalid_grant", "The refresh token was used before.")
      }
    }
    token.spentAt ??= this.#now()
    return this.#issue(token.grant, { isRefreshable: true, scope })
  }

  #poll(parameters: URLSearchParams, clientId: string): SoundAnswer {
    const deviceCode = parameters.get("device_code") ?? ""
    const device = this.#devices.get(deviceCode)
    if (device === undefined || device.clientId !== clientId) return oauthError("invalid_grant")
    const { pending = 0, slowDown = 0, outcome = "approve" } = this.behaviour.device ?? {}
    device.polls += 1
    if (device.polls <= pending) return oauthError("authorization_pending")
    if (device.polls <= pending + slowDown) return oauthError("slow_down")
    this.#devices.delete(deviceCode)
    if (outcome === "deny") return oauthError("access_denied")
    if (outcome === "expire") return oauthError("expired_token")
    const grant = this.#grant(clientId, new URLSearchParams({ scope: device.scope }))
    return this.#issue(grant, { isRefreshable: this.behaviour.issuesRefreshTokens ?? true })
  }

  #issue(
    grant: Grant,
    { isRefreshable, scope = grant.scope }: { isRefreshable: boolean; scope?: string },
  ): SoundAnswer {
    const { accessTokenSeconds: seconds = 3600 } = this.behaviour
    const accessToken = this.#secret("access")
    const expiresAt = seconds === null ? null : this.#now() + seconds * 1000
    this.#accessTokens.set(accessToken, { grant, scope, expiresAt })
    const refreshToken = isRefreshable ? this.#secret("refresh") : undefined
    if (refreshToken !== undefined) this.#refreshTokens.set(refreshToken, { grant, spentAt: null })
    return {
      status: 200,
      headers: { "cache-control": "no-store" },
      json: {
        access_token: accessToken,
        token_type: "Bearer",
        ...(seconds !== null && { expires_in: seconds }),
        ...(refreshToken !== undefined && { refresh_token: refreshToken }),
        ...(scope !== "" && { scope }),
      },
    }
  }

  #grant(clientId: string, parameters: URLSearchParams): Grant {
    const asked = (parameters.get("scope") ?? "").split(" ").filter((scope) => scope !== "")
    const { scopes } = this.behaviour
    const scope = asked.filter((one) => scopes === undefined || scopes.includes(one)).join(" ")
    const resource = parameters.get("resource")
    const grant: Grant = { id: `grant ${this.grants.length + 1}`, clientId, scope, resource, endedBy: null }
    this.grants.push(grant)
    return grant
  }

  /** The parameters of an authorization request, those that were pushed included; a pushed request is used once. */
  #parametersOf(query: URLSearchParams): URLSearchParams | undefined {
    const uri = query.get("request_uri")
    if (uri === null) return query
    const pushed = this.#pushed.get(uri)
    this.#pushed.delete(uri)
    return pushed?.get("client_id") === query.get("client_id") ? pushed : undefined
  }

  #secret(label: string): string {
    const secret = `canary-${label}-${randomText()}`
    this.secrets.push(secret)
    return secret
  }

  #now(): number {
    return (this.behaviour.now ?? Date.now)()
  }
}

const oauthError = (error: string, description?: string): SoundAnswer => ({
  status: 400,
  json: { error, ...(description !== undefined && { error_description: description }) },
})

const invalidClient: SoundAnswer = {
  status: 401,
  headers: { "www-authenticate": `Basic realm="token"` },
  json: { error: "invalid_client" },
}
