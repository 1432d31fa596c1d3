/**
 * What an integration of this plugin keeps: plain JSON from which any process makes the catalogue again.
 */
import type { OpenApiDocument } from "./document/document.ts"
import { isJsonObject } from "./Json.ts"

/** The stored form. */
export interface OpenApiConfig {
  /** Raised when the form changes. */
  readonly format: 1
  /** The document as JSON text: cheaper to keep, compare and copy than an object of a hundred thousand nodes. */
  readonly document: string
  /** The version the document declared before it was brought to OpenAPI 3. */
  readonly version: string
  /** Where it came from; `null` when it was passed by value. */
  readonly documentUrl: string | null
  /** The base URL that the host chose; `null` leaves it to the document's servers. */
  readonly baseUrl: string | null
}

/** The stored form of a document. A URL is kept without query and fragment, which may hold a signature. */
export const makeConfig = (document: OpenApiDocument, baseUrl: string | null): OpenApiConfig => ({
  format: 1,
  document: JSON.stringify(document.root),
  version: document.version,
  documentUrl: document.url?.split(/[?#]/, 1)[0] ?? null,
  baseUrl,
})

/** Reads the stored form; throws when it is none. */
export const readConfig = (
  config: unknown,
): { readonly document: OpenApiDocument; readonly baseUrl: string | null; readonly size: number } => {
  if (!isJsonObject(config) || config["format"] !== 1 || typeof config["document"] !== "string") {
    throw new Error("The integration was not registered by openapi.addSpec. Register it again.")
  }
  const root: unknown = JSON.parse(config["document"])
  return {
    document: {
      root: isJsonObject(root) ? root : {},
      version: String(config["version"]),
      url: typeof config["documentUrl"] === "string" ? config["documentUrl"] : null,
      warnings: [],
    },
    baseUrl: typeof config["baseUrl"] === "string" ? config["baseUrl"] : null,
    size: config["document"].length,
  }
}
