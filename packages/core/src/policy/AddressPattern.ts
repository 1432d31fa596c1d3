/**
 * Patterns over tool addresses: which tools a rule or a grant is about.
 *
 * `*` (or `**`) is every tool. Else a pattern reads like an address, `tools.<integration>.<owner>.<connection>.<tool>`, in which `*`
 * stands for any run of characters: without a dot up to the fourth one, and with dots and slashes in the tool's name. A pattern that ends
 * in `*` early covers everything below: `tools.github.*`, `tools.github.org.ma*`. Case matters. Used by policy rules and by grants.
 */
import { connectionIdentifier, type ConnectionRef } from "../connection/ConnectionRef.ts"
import { quote } from "../error/KeywardError.ts"
import { anyText, compileGlob, type Glob } from "./Glob.ts"

/** A pattern that was read; see the file's header. */
export interface AddressPattern {
  readonly text: string
  readonly integration: Glob
  readonly owner: Glob
  readonly name: Glob
  readonly tool: Glob
}

/** Reads a pattern; answers the fault of one that cannot match any address, and of one that is not spelled as a pattern. */
export const parseAddressPattern = (pattern: unknown): AddressPattern | { readonly fault: string } => {
  if (typeof pattern !== "string" || pattern === "") return fault('must be text, such as "tools.github.*".')
  if (pattern.length > longestPattern) return fault(`must be at most ${longestPattern} characters long.`)
  if (!pattern.isWellFormed()) return fault("must be well-formed text; no address is anything else.")
  if (pattern === "*" || pattern === "**")
    return { text: pattern, integration: anyText, owner: anyText, name: anyText, tool: anyText }
  if (/\*\*(?!$)/u.test(pattern)) return fault('"**" may stand at the end only; write one "*" per part.')
  const parts = addressParts(pattern.replace(/\*\*$/u, "*"))
  if (parts[0] !== "tools") return fault('must begin with "tools.", as every address does, or be "*".')
  if (parts.includes("")) return fault("has an empty part; no part of an address is empty. Write * for any.")
  if (parts.length < 5 && !pattern.endsWith("*")) {
    return fault(
      'ends before the tool\'s name, and an address reads tools.<integration>.<owner>.<connection>.<tool>; end it in ".*" for all below.',
    )
  }
  const [, integration = "*", owner = "*", name = "*", tool = "*"] = parts
  const misfit =
    integrationFault(integration) ??
    ownerFault(owner) ??
    nameFault(name) ??
    (withoutStars(tool).length > longestTool ? `names a tool of more than ${longestTool} characters.` : undefined)
  if (misfit !== undefined) return fault(misfit)
  return {
    text: pattern,
    integration: compileGlob(integration),
    owner: compileGlob(owner),
    name: compileGlob(name),
    tool: compileGlob(tool),
  }
}

/** Whether a tool of a connection is among those that a pattern is about. */
export const matchesPattern = (pattern: AddressPattern, connection: ConnectionRef, tool: string): boolean =>
  pattern.integration.matches(connection.integration) &&
  pattern.owner.matches(connection.owner) &&
  pattern.name.matches(connection.name) &&
  pattern.tool.matches(tool)

const longestPattern = 1024
const longestTool = 512

/** Cut at the first four dots: the rest is the tool's name. */
const addressParts = (pattern: string): ReadonlyArray<string> => {
  const parts = pattern.split(".")
  return parts.length <= 5 ? parts : [...parts.slice(0, 4), parts.slice(4).join(".")]
}

const integrationFault = (part: string): string | undefined =>
  /^[\p{L}\p{M}\p{N}_$*-]+$/u.test(part) && withoutStars(part).length <= 128
    ? undefined
    : `names the integration ${quote(part)}, and a slug is 1 to 128 letters, digits, "_", "-" or "$".`

const ownerFault = (part: string): string | undefined => {
  const { matches } = compileGlob(part)
  return matches("org") || matches("user")
    ? undefined
    : `names the owner ${quote(part)}; an address has "org" or "user" after the integration.`
}

const nameFault = (part: string): string | undefined => {
  if (part.includes("*")) {
    return /^[\p{ID_Start}$_*][\p{ID_Continue}$*\u200c\u200d]*$/u.test(part) && withoutStars(part).length <= 256
      ? undefined
      : `names the connection ${quote(part)}, and names in addresses are identifiers.`
  }
  const identifier = connectionIdentifier(part)
  if (identifier === part) return undefined
  return `names the connection ${quote(part)}, and names in addresses are identifiers${
    identifier === undefined ? "" : `; it is called ${quote(identifier)} there`
  }.`
}

const withoutStars = (part: string): string => part.replaceAll("*", "")

const fault = (text: string): { readonly fault: string } => ({ fault: text })
