/** A vault file as text: its lines, other lines in their place, and a bit turned over. */

/** One line of the log with its newline, and its offset in the file. */
export interface Line {
  readonly at: number
  readonly text: string
}

/** Where the log begins, and the offset and text of each of its lines. */
export const linesOf = (file: Buffer): { readonly start: number; readonly lines: ReadonlyArray<Line> } => {
  const start = file.indexOf(0x0a) + 1 + 1024
  const lines: Array<Line> = []
  for (let at = start; at < file.length;) {
    const end = file.indexOf(0x0a, at)
    const next = end < 0 ? file.length : end + 1
    lines.push({ at, text: file.toString("latin1", at, next) })
    at = next
  }
  return { start, lines }
}

/** The file with its log replaced by these lines. */
export const withLines = (file: Buffer, lines: ReadonlyArray<{ readonly text: string }>): Buffer =>
  Buffer.concat([file.subarray(0, linesOf(file).start), Buffer.from(lines.map(({ text }) => text).join(""), "latin1")])

/** The file with one bit turned over. */
export const flipped = (file: Buffer, at: number, bit: number): Buffer => {
  const bytes = Buffer.from(file)
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
  return bytes
}
