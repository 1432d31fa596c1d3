/** Catalogues that were made, so that a call does not parse a document; bounded by the size of the documents behind them. */
import type { IntegrationRecord } from "@keyward/core"
import { IntegrationCache } from "@keyward/core/effect"
import { readConfig } from "../OpenApiConfig.ts"
import { Catalogue } from "./Catalogue.ts"

/** The most text of documents that stays compiled, in characters; compiled it takes several times that. */
const largestCache = 48 * 1024 * 1024

/** A cache of catalogues. Fails for a record that holds no document of this plugin. */
export class Catalogues extends IntegrationCache<Catalogue> {
  constructor(limit: number = largestCache) {
    super(makeCatalogue, limit)
  }
}

const makeCatalogue = ({ config, baseUrl: fallbackBaseUrl, origins, authTemplates }: IntegrationRecord) => {
  const { document, baseUrl, size } = readConfig(config)
  return {
    value: new Catalogue(document, { baseUrl, fallbackBaseUrl: fallbackBaseUrl ?? "", origins, authTemplates }),
    size,
  }
}
