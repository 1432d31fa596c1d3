/**
 * What will happen, in words: what a person reads before they let a call be made.
 *
 * Names and arguments may come from a document on the web or from a model, so each is cut, quoted so that it does not read like words of
 * ours, shown with what cannot be seen spelled out, and hidden where its name says that it is a secret.
 */
import type { DefaultReason } from "./decide.ts"

/** One argument as a person reads it: JSON, cut, `"•••"` where it looks like a secret. */
export interface ShownArgument {
  readonly name: string
  readonly value: string
}

/** What the words are made of. */
export interface ApprovalSubjectMatter {
  /** The tool's title, or its name. */
  readonly title: string
  readonly description: string | undefined
  /** The integration's name. */
  readonly integration: string
  /** The connection's address. */
  readonly connection: string
  /** Which account that is, as its owner calls it. */
  readonly account: string | null
  readonly arguments: ReadonlyArray<ShownArgument>
  /** Why a person is asked; absent where a rule says so. */
  readonly reason: DefaultReason | undefined
}

/** One sentence or more: `Allow "Delete a repository" on "GitHub" as "acme-bot" (tools.github.org.main)? …`. */
export const approvalWords = (matter: ApprovalSubjectMatter): string => {
  const { title, description, integration, connection, account, reason } = matter
  const named =
    description === undefined ? quoted(title, 120) : `${quoted(title, 120)}, described as ${quoted(description, 200)},`
  const place = `${quoted(integration, 80)}${account === null ? "" : ` as ${quoted(account, 80)}`} (${shown(connection, 400)})`
  const [first] = matter.arguments
  const leftOut = first?.name === leftOutName ? first.value : undefined
  const values = (leftOut === undefined ? matter.arguments : matter.arguments.slice(1))
    .map(({ name, value }) => `${plainName.test(name) ? name : quoted(name, longestName)}: ${value}`)
    .join(", ")
  return [
    `Allow ${named} on ${place}?`,
    ...(reason === undefined || reasons[reason] === undefined ? [] : [reasons[reason]]),
    ...(leftOut === undefined ? [] : [`Attention: ${leftOut}.`]),
    ...(values === "" ? [] : [`Arguments: ${values}.`]),
  ].join(" ")
}

/**
 * The arguments as people are shown them: at most 20, those that the tool requires first, each cut at 200 characters. Where some are left
 * out, the first line says so under the name `…`.
 */
export const showArguments = (args: unknown, required?: unknown): ReadonlyArray<ShownArgument> => {
  if (typeof args !== "object" || args === null) return []
  const entries = Object.entries(args)
  const lines = shownFirst(entries, required)
    .slice(0, mostShown)
    .map(([name, value]) => ({ name: shownName(name), value: isSecretName(name) ? hidden : shownValue(value) }))
  if (entries.length <= mostShown) return lines
  return [
    { name: leftOutName, value: `${entries.length - mostShown} of ${entries.length} arguments are not shown` },
    ...lines,
  ]
}

/** Of many, those that a tool cannot do without come first: nobody hides them behind others. */
const shownFirst = (
  entries: ReadonlyArray<readonly [string, unknown]>,
  required: unknown,
): ReadonlyArray<readonly [string, unknown]> => {
  if (entries.length <= mostShown || !Array.isArray(required)) return entries
  const names = new Set<unknown>(required)
  return [...entries.filter(([name]) => names.has(name)), ...entries.filter(([name]) => !names.has(name))]
}

/** No argument can be named so that it reads like the line about those that are left out. */
const shownName = (name: string): string => (name === leftOutName ? "\\u{2026}" : shown(name, longestName))

/** Text from outside in quotation marks that it cannot end. */
const quoted = (text: string, limit: number): string => `"${shown(text.replace(/["\\]/gu, "\\$&"), limit)}"`

/** Text from outside, cut, with line breaks and what is invisible or turns the direction of writing spelled out. */
export const shown = (text: string, limit: number): string => {
  const safe = text
    .slice(0, limit * 2)
    .toWellFormed()
    .replace(invisible, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
  return safe.length > limit || text.length > limit * 2 ? `${safe.slice(0, limit).toWellFormed()}…` : safe
}

/** What is not seen, turns the direction of writing, or looks like the quotation marks that text is put in. */
const invisible = /(?!\ufe0f)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Default_Ignorable_Code_Point}\u2800\uff02\u02ba\u2033]/gu

const plainName = /^[\p{L}\p{N}_$.-]+$/u

const mostShown = 20
const longestValue = 200
const longestName = 80
/** Of the line that says how many arguments are not shown. */
const leftOutName = "…"
const hidden = '"•••"'

/** Names under which people pass secrets, in any spelling. */
export const isSecretName = (name: string): boolean =>
  /pass(word|wd|phrase|code)?$|^pwd$|secret|token|api[-_ ]?key|private[-_ ]?key|access[-_ ]?key|authori[sz]ation|cookie|credential|^otp$|^pin$|^cvv$|^cvc$/i.test(
    name,
  )

const shownValue = (value: unknown): string => {
  try {
    const text = JSON.stringify(value, (name, inner: unknown) =>
      name !== "" && isSecretName(name) ? "•••" : typeof inner === "bigint" ? `${inner}` : inner,
    ) as string | undefined
    return cut(text ?? typeof value)
  } catch {
    return typeof value
  }
}

/** What is cut says so behind the text, which cannot say anything there. */
const cut = (text: string): string => {
  const whole = shown(text, longestValue)
  return text.length <= longestValue && !whole.endsWith("…")
    ? whole
    : `${shown(text, longestValue - 40)} (cut, ${text.length} characters)`
}

const reasons: Readonly<Partial<Record<DefaultReason, string>>> = {
  destructive: "It may change or delete what is there.",
  unknown_effect: "It does not say what it changes.",
}
