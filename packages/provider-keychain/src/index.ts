/**
 * `@keyward/provider-keychain`: secrets in the operating system's keychain.
 *
 * A host passes `keychainProvider()` to `createExecutor`; pasted values and minted tokens are then kept there.
 */
export { type KeychainOptions, keychainProvider } from "./Keychain.ts"
