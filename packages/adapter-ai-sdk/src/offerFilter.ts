/**
 * Which tools a model is offered: a boundary, kept when tools are listed, when they are searched, and when a model names one itself.
 */
import { connectionIdentifier, type Owner } from "@keyward/core"

/** Which tools; everything given has to hold. */
export interface OfferFilter {
  readonly integration?: string | undefined
  readonly owner?: Owner | undefined
  /** A connection's name, in any spelling, or its address. */
  readonly connection?: string | undefined
  /** These only: their addresses, or their names. */
  readonly tools?: ReadonlyArray<string> | undefined
}

/** A filter in the two forms that it is needed in. */
export interface ReadOfferFilter {
  /** For the executor's lists and searches, which know nothing of `tools`. */
  readonly input: Omit<OfferFilter, "tools">
  /** Whether a full address is within. */
  readonly isOffered: (address: string) => boolean
}

/** Reads a filter. */
export const offerFilter = ({ integration, owner, connection, tools }: OfferFilter): ReadOfferFilter => {
  const named = tools === undefined ? undefined : new Set(tools)
  const isAddress = connection?.startsWith("tools.") === true
  const name = connection === undefined || isAddress ? undefined : (connectionIdentifier(connection) ?? connection)
  return {
    input: { integration, owner, connection },
    isOffered: (address) => {
      const [tool, ofIntegration, ofOwner, ofConnection, ...rest] = address.split(".")
      if (tool !== "tools" || (ofOwner !== "org" && ofOwner !== "user") || rest.length === 0) return false
      return (
        (integration === undefined || ofIntegration === integration) &&
        (owner === undefined || ofOwner === owner) &&
        (name === undefined || ofConnection === name) &&
        (!isAddress || address.startsWith(`${connection}.`)) &&
        (named === undefined || named.has(address) || named.has(rest.join(".")))
      )
    },
  }
}
