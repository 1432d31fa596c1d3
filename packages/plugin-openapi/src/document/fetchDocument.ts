/**
 * Gets one document over http(s), within limits. The `fetch` is the host's guarded one, without any credential.
 */
import { OpenApiDocumentError, quoted } from "./OpenApiDocumentError.ts"

/** A document's text and the URL it came from after redirects. */
export interface FetchedDocument {
  readonly text: string
  readonly url: string
}

/** How documents are reached and how much of them is read. */
export interface DocumentSource {
  /** A standard `fetch` that refuses internal addresses and carries no credential. */
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  /** The most one document may weigh, in bytes. Default: 64 MB. */
  readonly maxBytes?: number | undefined
  /** The longest that getting a document with everything it refers to may take, in milliseconds. Default: 30 s. */
  readonly timeoutMs?: number | undefined
}

/** The default cap of one document: GitHub's is 13 MB, the largest known public one 47 MB. */
const defaultMaxBytes = 64 * 1024 * 1024

/** The default limit of time. */
export const defaultTimeoutMs = 30_000

/** Fetches a document. Fails with `OpenApiDocumentError` whose location is the URL without its query. */
export const fetchDocument = async (
  url: string,
  source: DocumentSource,
  signal: AbortSignal,
): Promise<FetchedDocument> => {
  const location = withoutQuery(url)
  const fail = (reason: string): never => {
    throw new OpenApiDocumentError({ location, reason })
  }
  let response: Response
  try {
    response = await source.fetch(url, { headers: { accept }, signal })
  } catch (thrown) {
    return fail(signal.aborted ? "it did not arrive in time." : `it could not be fetched: ${messageOf(thrown)}`)
  }
  if (!response.ok) {
    await response.body?.cancel()
    return fail(
      `the server answered ${response.status}. Check the address, or download the document and pass its text.`,
    )
  }
  const maxBytes = source.maxBytes ?? defaultMaxBytes
  let text: string | undefined
  try {
    text = await readText(response, maxBytes)
  } catch (thrown) {
    return fail(signal.aborted ? "it did not arrive in time." : `it could not be read: ${messageOf(thrown)}`)
  }
  return text === undefined
    ? fail(`it is larger than ${maxBytes} bytes.`)
    : { text, url: response.url === "" ? url : response.url }
}

const accept = "application/json, application/yaml;q=0.9, application/vnd.oai.openapi;q=0.9, text/yaml;q=0.8, */*;q=0.5"

const readText = async (response: Response, maxBytes: number): Promise<string | undefined> => {
  if (response.body === null) return ""
  const decoder = new TextDecoder()
  let text = ""
  let bytes = 0
  for await (const chunk of response.body) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) return undefined
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** A URL as it may be shown: documents behind a signed link keep their signature to themselves. */
export const withoutQuery = (url: string): string => url.split(/[?#]/, 1)[0] ?? url

/** On one line, so that it can be part of a sentence; its own quotes stay as they are. */
const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? quoted(thrown.message, 300).slice(1, -1).replaceAll('\\"', '"') : "unknown fault"
