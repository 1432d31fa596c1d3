/**
 * undici's pools, for the transport, which loads them with the first request.
 *
 * In a module of its own: what bundlers that split their output load lazily has no named exports where it is CommonJS.
 */
export { Agent } from "undici"
