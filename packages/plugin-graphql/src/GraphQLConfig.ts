/**
 * What an integration of this plugin keeps: plain JSON from which any process makes the catalogue again.
 */
import { isJsonObject } from "./Json.ts"

/** The stored form. */
export interface GraphQLConfig {
  /** Raised when the form changes. */
  readonly format: 1
  /** Where operations are sent. */
  readonly endpoint: string
  /** SDL; `null` while the service tells its schema to accounts only and no account has been asked with. */
  readonly schema: string | null
}

/** Reads the stored form; throws when it is none. */
export const readConfig = (config: unknown): GraphQLConfig => {
  if (isJsonObject(config) && config["format"] === 1) {
    const { endpoint, schema } = config
    if (typeof endpoint === "string" && (typeof schema === "string" || schema === null)) {
      return { format: 1, endpoint, schema }
    }
  }
  throw new Error("The integration was not registered by graphql.addIntegration. Register it again.")
}
