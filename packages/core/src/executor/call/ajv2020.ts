/**
 * Ajv, for whoever loads it only when there is something to check.
 *
 * In a module of its own: what bundlers that split their output load lazily has no named exports where it is CommonJS.
 */
export { Ajv2020 } from "ajv/dist/2020.js"
