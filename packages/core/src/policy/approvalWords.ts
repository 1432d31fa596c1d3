/**
 * What will happen, in words: what a person reads before they let a call be made.
 *
 * Names and arguments may come from a document on the web or from a model, so each is cut, shown with what cannot be seen spelled out,
 * and hidden where its name says that it is a secret.
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

/** One sentence or more: `Allow "Delete a repository" on GitHub as "acme-bot" (tools.github.org.main)? …`. */
export const approvalWords = (matter: ApprovalSubjectMatter): string => {
  const { title, description, integration, connection, account, reason } = matter
  const named = description === undefined ? shown(title, 120) : `${shown(title, 120)}: ${shown(description, 200)}`
  const place = `${shown(integration, 80)}${account === null ? "" : ` as ${shown(account, 80)}`} (${shown(connection, 400)})`
  const values = matter.arguments.map(({ name, value }) => `${name}: ${value}`).join(", ")
  return [
    `Allow ${named} on ${place}?`,
    ...(reason === undefined || reasons[reason] === undefined ? [] : [reasons[reason]]),
    ...(values === "" ? [] : [`Arguments: ${values}.`]),
  ].join(" ")
}

/** The arguments as people are shown them: at most 20, each cut at 200 characters. */
export const showArguments = (args: unknown): ReadonlyArray<ShownArgument> => {
  if (typeof args !== "object" || args === null) return []
  const entries = Object.entries(args)
  const lines = entries
    .slice(0, mostShown)
    .map(([name, value]) => ({ name: shown(name, 80), value: isSecretName(name) ? hidden : shownValue(value) }))
  return entries.length > mostShown ? [...lines, { name: "…", value: `${entries.length - mostShown} more` }] : lines
}

/** Text from outside, cut, with line breaks and what is invisible or turns the direction of writing spelled out. */
export const shown = (text: string, limit: number): string => {
  const safe = text
    .slice(0, limit * 2)
    .toWellFormed()
    .replace(invisible, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
  return safe.length > limit || text.length > limit * 2 ? `${safe.slice(0, limit).toWellFormed()}…` : safe
}

const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]/gu

const mostShown = 20
const longestValue = 200
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
    return shown(text ?? typeof value, longestValue)
  } catch {
    return typeof value
  }
}

const reasons: Readonly<Partial<Record<DefaultReason, string>>> = {
  destructive: "It may change or delete what is there.",
  unknown_effect: "It does not say what it changes.",
}
