/**
 * Reads `WWW-Authenticate` (RFC 9110, section 11.6.1), which is what a stranger wrote: tolerant, in linear time, and not at all
 * past a size.
 *
 * Called for the 401 that names a resource's metadata (RFC 9728) and for the 403 that names missing scopes (RFC 6750).
 */

/** One challenge. Scheme and parameter names are in lower case; of a parameter that comes twice, the first counts. */
export interface Challenge {
  readonly scheme: string
  readonly parameters: ReadonlyMap<string, string>
}

/** Longer header values are not read. */
export const mostChallengeCharacters = 16 * 1024

/**
 * The challenges of a header value, in which several header lines may be joined by commas.
 *
 * Reads up to the first thing that is no part of a challenge and keeps what came before. A missing comma between parameters and a
 * value that should have been quoted are forgiven. Credentials of schemes such as Negotiate (`token68`) are left out.
 */
export const parseChallenges = (wwwAuthenticate: string): ReadonlyArray<Challenge> => {
  const challenges: Array<Challenge & { readonly parameters: Map<string, string> }> = []
  if (wwwAuthenticate.length > mostChallengeCharacters) return challenges
  let at = 0
  // Each pattern starts where the last one ended and no two of its branches can match the same character.
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(wwwAuthenticate)?.[0]
    if (found !== undefined) at += found.length
    return found
  }
  for (;;) {
    take(separators)
    const name = take(token)?.toLowerCase()
    if (name === undefined) return challenges
    const current = challenges.at(-1)
    if (take(equals) === undefined) {
      challenges.push({ scheme: name, parameters: new Map() })
      take(token68)
      continue
    }
    const quoted = take(quotedText)
    const value = quoted === undefined ? take(bareText) : quoted.slice(1, -1).replace(escaped, "$1")
    if (current === undefined || value === undefined) return challenges
    if (!current.parameters.has(name)) current.parameters.set(name, value)
  }
}

/** A parameter of the first Bearer or DPoP challenge that has it. */
export const challengeParameter = (challenges: ReadonlyArray<Challenge>, name: string): string | undefined =>
  challenges
    .find(({ scheme, parameters }) => (scheme === "bearer" || scheme === "dpop") && parameters.has(name))
    ?.parameters.get(name)

const separators = /[\s,]+/y
const token = /[\w!#$%&'*+\-.^`|~]+/y
const equals = /\s*=\s*/y
const quotedText = /"(?:[^"\\]|\\[^])*"/y
const bareText = /[^\s,"]*(?=[\s,]|$)/y
const escaped = /\\([^])/g
// Only where nothing but a comma or the end follows: otherwise the same characters are the name of a parameter.
const token68 = /[ \t]+[\w\-.~+/]+=*[ \t]*(?=,|$)/y
