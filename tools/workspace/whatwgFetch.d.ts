/**
 * Stands in for the types of `@whatwg-node/fetch`, which graphql-yoga brings and which would add those of a browser to the whole workspace.
 */
export declare const fetch: typeof globalThis.fetch
export declare const Request: typeof globalThis.Request
export declare const Response: typeof globalThis.Response
export declare const Headers: typeof globalThis.Headers
export declare const ReadableStream: typeof globalThis.ReadableStream
export declare const URLPattern: unknown
export interface FormDataLimits {
  readonly fileSize?: number
}
export declare const createFetch: (options: { readonly formDataLimits?: FormDataLimits }) => typeof globalThis & {
  readonly URLPattern: unknown
}
