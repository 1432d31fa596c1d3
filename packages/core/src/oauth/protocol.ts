/**
 * Everything of this folder that speaks the protocol, in one place to import lazily: a host without OAuth never loads it.
 */
export { makeOAuthHttp } from "./OAuthHttp.ts"
