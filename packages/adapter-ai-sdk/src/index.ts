/**
 * The tools of a Keyward executor in the shape that the AI SDK's `generateText`, `streamText` and agents take.
 */
export { aiSdkTools, type AiSdkToolsOptions } from "./aiSdkTools.ts"
export { TooManyToolsError } from "./TooManyToolsError.ts"
export type { ToolSource } from "./ToolSource.ts"
export { modelToolNames } from "./modelToolNames.ts"
