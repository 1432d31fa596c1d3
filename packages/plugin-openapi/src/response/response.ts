/**
 * From a response to a result: data where the service succeeded, a readable error where it did not.
 *
 * JSON is parsed, text is text, anything else is `{ mediaType, base64, bytes }`; an empty body is `null`.
 */
import type { ToolResult } from "@keyward/core"
import { kindOfMediaType } from "../mediaTypes.ts"
import { upstreamFailure } from "./upstreamFailure.ts"

/** What is read of a response; the lean response of core has this shape. */
export interface ReadableResponse {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  text(): Promise<string>
  bytes(): Promise<Uint8Array>
}

/**
 * Reads a response to the end.
 *
 * @param method in upper case; decides whether a failure is worth repeating.
 * @param now epoch milliseconds, asked only for a `Retry-After` date without a `Date` beside it.
 */
export const readResponse = async (
  response: ReadableResponse,
  method: string,
  now: () => number,
): Promise<ToolResult> => {
  const { status, headers } = response
  if (status >= 400 || status < 200 || (status >= 300 && status !== 304)) {
    return { ok: false, error: upstreamFailure({ status, headers, body: await failureText(response), method, now }) }
  }
  return {
    ok: true,
    data: method === "HEAD" || status === 204 ? null : await readData(response),
    http: { status, headers: shownHeaders(headers) },
  }
}

const readData = async (response: ReadableResponse): Promise<unknown> => {
  const contentType = response.headers["content-type"]
  const kind = contentType === undefined ? undefined : kindOfMediaType(contentType)
  if (kind === "json") return jsonOrText(await response.text())
  if (kind === "text" || kind === "form") return readText(response, contentType ?? "")
  const bytes = await response.bytes()
  if (bytes.byteLength === 0) return null
  if (contentType === undefined) {
    const text = decodeText(bytes)
    if (text !== undefined) return jsonOrText(text)
  }
  return {
    mediaType: contentType?.split(";", 1)[0]?.trim() ?? "application/octet-stream",
    base64: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64"),
    bytes: bytes.byteLength,
  }
}

/** Text in the character set that it declares; an unknown one is read as UTF-8. */
const readText = async (response: ReadableResponse, contentType: string): Promise<string> => {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType)?.[1]?.toLowerCase()
  if (charset === undefined || charset === "utf-8" || charset === "utf8") return response.text()
  try {
    return new TextDecoder(charset).decode(await response.bytes())
  } catch (thrown) {
    if (thrown instanceof RangeError) return response.text()
    throw thrown
  }
}

/** Services say JSON and send text often enough; what cannot be parsed is still worth reading. */
const jsonOrText = (text: string): unknown => {
  if (text === "") return null
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text.trim() === "" ? null : text
  }
}

const decodeText = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

const failureText = async (response: ReadableResponse): Promise<string> => {
  const contentType = response.headers["content-type"]
  const kind = contentType === undefined ? "text" : kindOfMediaType(contentType)
  const text = await response.text()
  return kind === "binary" && hasControl.test(text) ? "" : text
}

// eslint-disable-next-line no-control-regex -- bytes that are no text are what is looked for
const hasControl = /[\u0000-\u0008\u000e-\u001f\ufffd]/

/** Session cookies are credentials of a kind and are not shown. */
const shownHeaders = (headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> => {
  if (headers["set-cookie"] === undefined) return headers
  const { "set-cookie": _, ...shown } = headers
  return shown
}
