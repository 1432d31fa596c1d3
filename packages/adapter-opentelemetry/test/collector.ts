/** An OTLP endpoint on loopback that decodes what arrives as OTLP/JSON. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { onTestFinished } from "vitest"

/** A span as OTLP/JSON has it; times are left out. */
interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly attributes: Readonly<Record<string, unknown>>
  readonly status: { readonly code?: number; readonly message?: string }
}

export interface Collector {
  readonly url: string
  readonly spans: ReadonlyArray<ReceivedSpan>
  /** Every body as it was sent. */
  readonly bodies: ReadonlyArray<string>
  readonly named: (name: string) => ReceivedSpan
}

interface Message {
  readonly resourceSpans: ReadonlyArray<{
    readonly scopeSpans: ReadonlyArray<{
      readonly spans: ReadonlyArray<
        Omit<ReceivedSpan, "attributes"> & {
          readonly attributes?: ReadonlyArray<{
            readonly key: string
            readonly value: Readonly<Record<string, unknown>>
          }>
        }
      >
    }>
  }>
}

/** Ends with the test. */
export const startCollector = async (): Promise<Collector> => {
  const spans: Array<ReceivedSpan> = []
  const bodies: Array<string> = []
  const server = createServer((request, response) => {
    const pieces: Array<Buffer> = []
    request.on("data", (piece: Buffer) => pieces.push(piece))
    request.on("end", () => {
      const body = Buffer.concat(pieces).toString()
      bodies.push(body)
      if (request.url === "/v1/traces") spans.push(...spansOf(JSON.parse(body) as Message))
      response.writeHead(200, { "content-type": "application/json" }).end("{}")
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const named = (name: string): ReceivedSpan => {
    const found = spans.filter((span) => span.name === name)
    const [span] = found
    if (span === undefined || found.length > 1) throw new Error(`${found.length} spans are called ${name}.`)
    return span
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`, spans, bodies, named }
}

const spansOf = ({ resourceSpans }: Message): ReadonlyArray<ReceivedSpan> =>
  resourceSpans.flatMap(({ scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        ...span,
        attributes: Object.fromEntries((span.attributes ?? []).map(({ key, value }) => [key, Object.values(value)[0]])),
      })),
    ),
  )
