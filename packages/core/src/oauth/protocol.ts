/**
 * Everything of this folder that speaks the protocol, in one place to import lazily: a host without OAuth never loads it.
 */
export { authorizationRequest, hashState, newCodeVerifier, newState } from "./AuthorizationRequest.ts"
export { isAtRedirectUri, readAuthorizationResponse, readCallback } from "./AuthorizationResponse.ts"
export { serverByHand } from "./AuthorizationServer.ts"
export { deleteRegistration, registerClient } from "./ClientRegistration.ts"
export { nextPoll, requestDeviceAuthorization } from "./DeviceAuthorization.ts"
export { Discovery } from "./Discovery.ts"
export { dpopProof, isNonceDemanded, makeDpopKey, noncesOf, readDpopKey } from "./Dpop.ts"
export { makeOAuthHttp } from "./OAuthHttp.ts"
export { redirectUriFault } from "./RedirectUri.ts"
export { sealSecrets, unsealSecrets } from "./sealedSession.ts"
export { signAssertion } from "./signAssertion.ts"
export { requestTokens } from "./TokenEndpoint.ts"
export { revokeToken } from "./TokenRevocation.ts"
