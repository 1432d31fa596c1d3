/**
 * The body of a token endpoint's answer as an object, whatever it calls itself.
 *
 * JSON is read under any content type, because providers mislabel it; a form only where the content type is one or plain text.
 */
import type { OAuthResponse } from "./OAuthHttp.ts"

/** A parsed body. May hold tokens. */
export type TokenBody = Readonly<Record<string, unknown>>

/** `undefined`: neither a JSON object nor a form. */
export const parseTokenBody = ({ headers, body }: OAuthResponse): TokenBody | undefined => {
  const text = body.trim()
  if (text.startsWith("{")) return parseObject(text)
  const type = headers["content-type"] ?? ""
  if (!/^(application\/x-www-form-urlencoded|text\/plain)\b/i.test(type)) return undefined
  // One line of `name=value` pairs; a sentence or a page is none.
  return /^[\w.%-]+=[^\s<>"{}]*$/.test(text) ? Object.fromEntries(new URLSearchParams(text)) : undefined
}

/** The value at a dotted path such as `authed_user.access_token` or `data.0.id`; only what the body itself holds. */
export const valueAt = (body: TokenBody, path: string): unknown => {
  let value: unknown = body
  for (const name of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

const parseObject = (text: string): TokenBody | undefined => {
  try {
    return JSON.parse(text) as TokenBody
  } catch {
    // The error quotes what it could not read, which may be a token.
    return undefined
  }
}
