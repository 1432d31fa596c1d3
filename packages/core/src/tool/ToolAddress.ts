/**
 * The address by which a tool is called: `tools.<integration>.<owner>.<connection>.<tool>`.
 *
 * The tool's name is everything after the fourth dot, so it may hold dots itself. A short address, `tools.<integration>.<tool>`, leaves
 * out the connection, which is then selected.
 */
import { connectionAddress, type ConnectionRef } from "../connection/ConnectionRef.ts"

/** An address in its parts. */
export interface ToolAddress {
  readonly connection: ConnectionRef
  readonly tool: string
}

/** Reads an address; `undefined` when it is not one. */
export const parseToolAddress = (address: string): ToolAddress | undefined => {
  const known = recent.get(address)
  if (known !== undefined) return known
  const parts = addressForm.exec(address)
  if (parts === null) return undefined
  const [, integration = "", owner = "", name = "", tool = ""] = parts
  const parsed: ToolAddress = { connection: { owner: owner as ConnectionRef["owner"], integration, name }, tool }
  if (recent.size >= 1024) recent.clear()
  recent.set(address, parsed)
  return parsed
}

/** Spells an address. */
export const toolAddress = (connection: ConnectionRef, tool: string): string =>
  `${connectionAddress(connection)}.${tool}`

/** Reads a connection's address, `tools.<integration>.<owner>.<connection>`; `undefined` when it is not one. */
export const parseConnectionAddress = (address: string): ConnectionRef | undefined => {
  const parts = connectionForm.exec(address)
  if (parts === null) return undefined
  const [, integration = "", owner = "", name = ""] = parts
  return { owner: owner as ConnectionRef["owner"], integration, name }
}

/** A tool of an integration, whichever connection is used. */
export interface ShortAddress {
  readonly integration: string
  readonly tool: string
}

/**
 * Reads `tools.<integration>.<tool>`; `undefined` when it is not one.
 *
 * After the integration `org` and `user` always are an owner: what begins so is a full address, or none.
 */
export const parseShortAddress = (address: string): ShortAddress | undefined => {
  const parts = shortForm.exec(address)
  if (parts === null) return undefined
  const [, integration = "", tool = ""] = parts
  return { integration, tool }
}

/** Spells a short address. */
export const shortAddress = (integration: string, tool: string): string => `tools.${integration}.${tool}`

const shortForm = /^tools\.([^.]+)\.(?!(?:org|user)(?:\.|$))(.+)$/su
const addressForm = /^tools\.([^.]+)\.(org|user)\.([^.]+)\.(.+)$/su
const connectionForm = /^tools\.([^.]+)\.(org|user)\.([^.]+)$/su

/** Agents call the same few addresses again and again; a pure function's answers may be kept. */
const recent = new Map<string, ToolAddress>()
