/** Catalogues that were made, so that a call does not parse a schema; bounded by the size of the schemas behind them. */
import type { IntegrationRecord } from "@keyward/core"
import { IntegrationCache } from "@keyward/core/effect"
import { readConfig } from "../GraphQLConfig.ts"
import { compileSchema } from "../schema/loadSchema.ts"
import { Catalogue } from "./Catalogue.ts"

/** The most text of schemas that stays compiled, in characters; compiled it takes about eight times that. */
const largestCache = 8 * 1024 * 1024

/** A cache of catalogues. Fails for a record that holds no schema of this plugin. */
export class Catalogues extends IntegrationCache<Catalogue> {
  constructor(limit: number = largestCache) {
    super(makeCatalogue, limit)
  }
}

const makeCatalogue = ({ config }: IntegrationRecord) => {
  const { endpoint, schema } = readConfig(config)
  return {
    value: new Catalogue(endpoint, schema === null ? undefined : compileSchema(schema)),
    size: schema?.length ?? 0,
  }
}
