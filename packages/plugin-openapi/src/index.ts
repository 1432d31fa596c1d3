/**
 * `@keyward/plugin-openapi`: integrations from OpenAPI documents.
 *
 * @module @keyward/plugin-openapi
 */
export {
  type AddSpecInput,
  type OpenApiExtension,
  openApiPlugin,
  type OpenApiPluginOptions,
  type PreviewedTool,
  type SpecPreview,
} from "./OpenApi.ts"
export type { DocumentInput } from "./document/document.ts"
export { OpenApiDocumentError } from "./document/OpenApiDocumentError.ts"
