/**
 * `@keyward/plugin-graphql`: integrations from GraphQL services.
 *
 * @module @keyward/plugin-graphql
 */
export {
  type AddGraphQLInput,
  type GraphQLExtension,
  type GraphQLPluginOptions,
  type GraphQLPreview,
  graphqlPlugin,
  type PreviewedField,
  type RefreshSchemaInput,
} from "./GraphQL.ts"
export { GraphQLSchemaError } from "./schema/GraphQLSchemaError.ts"
export type { SchemaInput } from "./schema/loadSchema.ts"
