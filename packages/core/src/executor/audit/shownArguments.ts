/**
 * A call's arguments for an audit trail whose host wants them: JSON without secrets, cut.
 *
 * What is not known to be free of the connection's secrets is not kept: that is so where a request was authorized, since its secrets are
 * then known and taken out, and where the connection has none.
 */
import type { ConnectionRow } from "../../connection/Connection.ts"
import { isSecretName } from "../../policy/approvalWords.ts"
import type { CallRecord } from "../call/CallRecord.ts"

/** The text; `undefined` where it may hold a secret, or is no JSON. */
export const shownArguments = (
  args: Readonly<Record<string, unknown>>,
  record: Pick<CallRecord, "knowsSecrets" | "redact" | "redactDeep">,
  { items, grant }: Pick<ConnectionRow, "items" | "grant">,
): string | undefined => {
  if (!record.knowsSecrets && (items.length > 0 || grant !== null)) return undefined
  try {
    const text = JSON.stringify(record.redactDeep(args), (name, value: unknown) =>
      name !== "" && isSecretName(name) ? "•••" : typeof value === "bigint" ? String(value) : value,
    ) as string | undefined
    // Once more over the whole: a secret that is a number is one in the text only. Then cut, since half a secret is not recognised.
    return text === undefined ? undefined : cut(record.redact(text))
  } catch {
    return undefined
  }
}

const cut = (text: string): string => (text.length > longest ? `${text.slice(0, longest).toWellFormed()}…` : text)

const longest = 4096
