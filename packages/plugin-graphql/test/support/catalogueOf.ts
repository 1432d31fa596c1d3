/** Schemas and catalogues for tests of the pure parts: no executor, no network. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { type GraphQLSchema, parse, specifiedRules, validate } from "graphql"
import { Catalogue } from "../../src/catalogue/Catalogue.ts"
import { loadSchema } from "../../src/schema/loadSchema.ts"

/** GitHub's public schema as SDL, from the registry package that GitHub maintains. */
export const gitHubSchema = (): string =>
  readFileSync(fileURLToPath(new URL("schema.graphql", import.meta.resolve("@octokit/graphql-schema"))), "utf8")

/** The catalogue of a schema. */
export const catalogueOf = (schema: string | object): Catalogue =>
  new Catalogue("https://api.example.com/graphql", loadSchema(schema, "schema").schema)

/** The input schema of a tool. */
export const inputOf = (catalogue: Catalogue, name: string): Readonly<Record<string, unknown>> => {
  const description = catalogue.describe(name)
  if (description === undefined) throw new Error(`there is no tool called ${name}`)
  return description.inputSchema
}

/** What the schema says about a document; empty when it fits. */
export const complaints = (schema: GraphQLSchema | undefined, document: string): ReadonlyArray<string> =>
  schema === undefined
    ? ["there is no schema"]
    : validate(schema, parse(document), specifiedRules).map(({ message }) => message)
