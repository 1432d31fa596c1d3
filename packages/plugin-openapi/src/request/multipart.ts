/**
 * `multipart/form-data` as bytes, written the way browsers write it.
 *
 * Spec: [RFC 7578](https://www.rfc-editor.org/rfc/rfc7578) and the
 * [HTML form encoding](https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data).
 */
import { randomUUID } from "node:crypto"

/** One part. */
export interface MultipartPart {
  readonly name: string
  readonly filename?: string | undefined
  readonly contentType?: string | undefined
  readonly content: string | Uint8Array
}

/** Puts parts together under a boundary that nobody can guess, so that no content can forge it. */
export const encodeMultipart = (
  parts: ReadonlyArray<MultipartPart>,
  essence: string,
): { readonly body: Uint8Array; readonly mediaType: string } => {
  const boundary = `keyward-${randomUUID()}`
  const chunks: Uint8Array[] = []
  for (const { name, filename, contentType, content } of parts) {
    const file = filename === undefined ? "" : `; filename="${escapeName(filename.toWellFormed())}"`
    const type = contentType === undefined ? "" : `Content-Type: ${contentType}\r\n`
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${escapeName(name)}"${file}\r\n${type}\r\n`
    chunks.push(Buffer.from(head), typeof content === "string" ? Buffer.from(content) : content, lineBreak)
  }
  chunks.push(Buffer.from(`--${boundary}--\r\n`))
  const subtype = essence.includes("*") ? "multipart/form-data" : essence
  return { body: Buffer.concat(chunks), mediaType: `${subtype}; boundary=${boundary}` }
}

const lineBreak = Buffer.from("\r\n")

const escapeName = (name: string): string => name.replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A")
