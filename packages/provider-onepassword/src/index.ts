/**
 * `@keyward/provider-onepassword`: secrets read through the 1Password CLI.
 *
 * A host passes `onePasswordProvider()` to `createExecutor` and refers to items with `from: { provider: "1password", id }`.
 */
export { type OnePasswordOptions, type OnePasswordProvider, onePasswordProvider } from "./OnePassword.ts"
