/**
 * Puts credential values on a request: `(template, values) → request → request`, pure.
 *
 * The one place of the call path where secrets are unwrapped. Called by the authorized fetch after the final URL was
 * bound to the integration's origins; also knows how to find the secrets again in what must not hold them.
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"
import { noAuthorizer, type RequestAuthorizer, type WireRequest } from "../http/Wire.ts"
import type { CompiledTemplate, Placement } from "./AuthTemplate.ts"
import { cookieText, headerText } from "./places.ts"
import { anySpelling, decode, mayBeEncoded, spell, spellBase64 } from "./secretSpellings.ts"

/** The values of one connection by variable. */
export type CredentialValues = ReadonlyMap<string, Redacted.Redacted>

/** A stored value that cannot stand where the template puts it, such as a key with a line break at its end. */
export class CredentialNotPlaceableError extends taggedError<CredentialNotPlaceableError>()(
  "CredentialNotPlaceableError",
  { location: Schema.Literals(["header", "query", "cookie", "environment"]), name: Schema.String },
  400,
) {
  override get message(): string {
    return `The stored credential cannot be sent in the ${this.location} ${quote(this.name)}: it holds a line break or another character that is not allowed there. Save it again without it.`
  }
}

/**
 * Fills a template with values.
 *
 * Every variable of the template must be among the values: the caller has checked that. Fails when a value could break out
 * of its place.
 */
export const applyAuth = (
  template: CompiledTemplate,
  values: CredentialValues,
): Result.Result<RequestAuthorizer, CredentialNotPlaceableError> => {
  const { placements } = template
  if (placements.length === 0) return withoutCredential
  const filled: Array<Filled> = []
  for (const placement of placements) {
    const value = fill(placement, values)
    if (value === undefined || !isPlaceable[placement.location](value)) {
      return Result.fail(new CredentialNotPlaceableError({ location: placement.location, name: placement.name }))
    }
    filled.push({ location: placement.location, name: placement.name, value })
  }
  return Result.succeed(new FilledAuthorizer(template, values, filled))
}

/** Finds the values of a credential again that no request carries, because they went into the environment of a process. */
export const findOnly = (template: CompiledTemplate, values: CredentialValues): RequestAuthorizer =>
  new FilledAuthorizer(template, values, [])

/** Whether two readings of a credential hold the same values. */
export const isSameCredential = (one: CredentialValues, other: CredentialValues): boolean =>
  one.size === other.size &&
  [...one].every(([name, value]) => {
    const counterpart = other.get(name)
    return counterpart !== undefined && Redacted.value(value) === Redacted.value(counterpart)
  })

const withoutCredential = Result.succeed(noAuthorizer)

interface Filled {
  readonly location: Placement["location"]
  readonly name: string
  readonly value: string
}

class FilledAuthorizer implements RequestAuthorizer {
  readonly #template: CompiledTemplate
  readonly #values: CredentialValues
  readonly #filled: ReadonlyArray<Filled>
  #secrets: ReadonlyArray<string> | undefined

  constructor(template: CompiledTemplate, values: CredentialValues, filled: ReadonlyArray<Filled>) {
    this.#template = template
    this.#values = values
    this.#filled = filled
  }

  authorize(request: WireRequest): WireRequest {
    const headers: Record<string, string> = { ...request.headers }
    let { url } = request
    for (const { location, name, value } of this.#filled) {
      if (location === "header") headers[name] = value
      else if (location === "cookie") headers["cookie"] = withCookie(headers["cookie"], name, value)
      else url = withQuery(url, name, value)
    }
    return { method: request.method, url, headers, body: request.body, shownUrl: request.url }
  }

  places(header: string): boolean {
    return this.#filled.some(
      ({ location, name }) =>
        (location === "header" && name === header) || (location === "cookie" && header === "cookie"),
    )
  }

  carries(text: string): boolean {
    for (const secret of this.#spellings()) if (text.includes(secret)) return true
    return this.#carriesEncoded(text)
  }

  redact(text: string): string {
    let redacted = text
    for (const secret of this.#spellings()) {
      if (redacted.includes(secret)) redacted = redacted.replaceAll(secret, "<redacted>")
    }
    if (!this.#carriesEncoded(redacted)) return redacted
    const forms = this.#secretTexts().map(anySpelling).join("|")
    const replaced = redacted.replace(new RegExp(forms, "gu"), "<redacted>")
    return this.#carriesEncoded(replaced) ? "<redacted>" : replaced
  }

  /** Services encode what is encoded already, with small hexadecimal digits, or what needs no encoding. */
  #carriesEncoded(text: string): boolean {
    if (!mayBeEncoded(text)) return false
    const decoded = decode(text)
    return this.#secretTexts().some((secret) => decoded.includes(decode(secret)))
  }

  #secretTexts(): ReadonlyArray<string> {
    return secretValues(this.#template, this.#values)
      .map((value) => Redacted.value(value))
      .filter(isLongEnough)
  }

  #spellings(): ReadonlyArray<string> {
    return (this.#secrets ??= spellingsOf(this.#template, this.#values, this.#filled))
  }
}

const fill = (placement: Placement, values: CredentialValues): string | undefined => {
  let joined = ""
  for (const part of placement.parts) {
    if (typeof part === "string") {
      joined += part
      continue
    }
    const value = values.get(part.variable)
    if (value === undefined) return undefined
    const text = Redacted.value(value)
    // RFC 7617, section 2: a colon in the user name would move the border between name and password.
    if (placement.encoding === "basic" && part.variable === "username" && text.includes(":")) return undefined
    joined += text
  }
  return placement.encoding === "basic" ? `Basic ${Buffer.from(joined, "utf8").toString("base64")}` : joined
}

const isPlaceable: Readonly<Record<Placement["location"], (value: string) => boolean>> = {
  header: (value) => headerText.test(value),
  query: (value) => value.isWellFormed(),
  cookie: (value) => cookieText.test(value),
}

/** Replaces every pair of that name and leaves the others as they are spelled: some services sign their query strings. */
const withQuery = (url: URL, name: string, value: string): URL => {
  const others = url.search
    .slice(1)
    .split("&")
    .filter((pair) => pair !== "" && parameterName(pair) !== name)
  const next = new URL(url)
  next.search = `?${[...others, `${encodeURIComponent(name)}=${encodeURIComponent(value)}`].join("&")}`
  return next
}

const parameterName = (pair: string): string => new URLSearchParams(`?${pair}`).keys().next().value ?? ""

const withCookie = (header: string | undefined, name: string, value: string): string => {
  const others = (header ?? "")
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "" && pair.split("=", 1)[0]?.trim() !== name)
  return [...others, `${name}=${value}`].join("; ")
}

/** Shorter values cannot be told from ordinary text and are not looked for. */
const shortestSecret = 6
const isLongEnough = (text: string): boolean => text.length >= shortestSecret

/** The values to look for; a user name beside its password is not one of them. */
const secretValues = (template: CompiledTemplate, values: CredentialValues): ReadonlyArray<Redacted.Redacted> =>
  template.family === "basic" && hasPassword(values)
    ? [...values].filter(([name]) => name !== "username").map(([, value]) => value)
    : [...values.values()]

/** Every spelling under which one of the secrets is likely to turn up in a header, URL or body. Longest first. */
const spellingsOf = (
  template: CompiledTemplate,
  values: CredentialValues,
  filled: ReadonlyArray<Filled>,
): ReadonlyArray<string> => {
  const looked = secretValues(template, values)
  const [only] = looked
  if (only !== undefined && looked.length === 1 && template.family !== "basic") return spellingsOfValue(only)
  const all = looked.flatMap(spellingsOfValue)
  for (const { value } of filled) {
    if (value.startsWith("Basic ")) all.push(...spellBase64(value.slice("Basic ".length)).filter(isLongEnough))
  }
  return all.sort(longestFirst)
}

const longestFirst = (one: string, other: string): number => other.length - one.length

const spellingsOfValue = (value: Redacted.Redacted): ReadonlyArray<string> => {
  const known = spelled.get(value)
  if (known !== undefined) return known
  const text = Redacted.value(value)
  const spellings = isLongEnough(text) ? [...new Set(spell(text))].sort(longestFirst) : []
  spelled.set(value, spellings)
  return spellings
}

/** Kept no longer than the secret itself: a provider that holds its values in memory has them spelled once. */
const spelled = new WeakMap<Redacted.Redacted, ReadonlyArray<string>>()

/** A user name is not secret unless it stands alone, as an API key does that is sent as one. */
const hasPassword = (values: CredentialValues): boolean => {
  const password = values.get("password")
  return password !== undefined && Redacted.value(password) !== ""
}
