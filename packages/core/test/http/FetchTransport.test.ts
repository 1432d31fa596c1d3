/**
 * `egress.fetch`: whatever function is supplied, limits hold, redirects stay Keyward's, and nothing it throws gets out.
 */
import { canary, CanaryScanner, drip, fakeUpstream } from "@keyward/core/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { Egress, type EgressOptions } from "../../src/http/Egress.ts"
import type { FetchFunction } from "../../src/http/FetchTransport.ts"
import type { HttpError } from "../../src/http/HttpError.ts"
import { toResponse } from "../../src/http/standardFetch.ts"
import { noAuthorizer, type WireRequest, type WireResponse } from "../../src/http/Wire.ts"

const request = (parts: Partial<WireRequest> = {}): WireRequest => ({
  method: "GET",
  url: new URL("https://api.example.com/items"),
  headers: {},
  body: null,
  ...parts,
})

const send = (fetch: FetchFunction, parts?: Partial<WireRequest>, options?: EgressOptions): Promise<WireResponse> =>
  Effect.runPromise(new Egress({ ...options, fetch }).send(request(parts), noAuthorizer))

const failure = (fetch: FetchFunction, options?: EgressOptions): Promise<HttpError> =>
  Effect.runPromise(Effect.flip(new Egress({ ...options, fetch }).send(request(), noAuthorizer)))

const answering =
  (...answer: ConstructorParameters<typeof Response>): FetchFunction =>
  async () =>
    new Response(...answer)

const never = new Promise<never>(() => undefined)
const silent = (): ReadableStream<Uint8Array> => new ReadableStream({ pull: () => never })

describe("a supplied fetch", () => {
  it("is asked with the finished request and told to leave redirects alone", async () => {
    const calls: Array<Parameters<FetchFunction>> = []
    const fetch: FetchFunction = async (...call) => {
      calls.push(call)
      return new Response("ok")
    }
    const parts = { method: "POST", headers: { "x-a": "1" }, body: "text" }
    expect(Buffer.from(await (await send(fetch, parts)).bytes()).toString()).toBe("ok")
    const [[url, init] = expect.unreachable()] = calls
    expect(url).toBe("https://api.example.com/items")
    expect(init).toMatchObject({ ...parts, redirect: "manual" })
    expect(init.signal?.aborted).toBe(false)
  })

  it("may be the platform's own", async () => {
    const server = await fakeUpstream({ "/from": { redirect: "/to" }, "/to": { body: drip(["a", "b"], 5) } })
    const egress = new Egress({ fetch: globalThis.fetch, allowHosts: [server.host] })
    const body = new Blob(["streamed"]).stream()
    const url = new URL(`${server.origin}/to`)
    const posted = await Effect.runPromise(egress.send(request({ url, method: "POST", body }), noAuthorizer))
    expect(Buffer.from(await posted.bytes()).toString()).toBe("ab")
    const followed = await Effect.runPromise(
      egress.send(request({ url: new URL(`${server.origin}/from`) }), noAuthorizer),
    )
    expect(followed).toMatchObject({ status: 200, isRedirected: true, url: `${server.origin}/to` })
    expect(server.requests.map(({ text }) => text)).toEqual(["streamed", "", ""])
    await server.close()
  })

  it.each<[how: string, fetch: FetchFunction]>([
    ["rejects", () => Promise.reject(new Error(`connect failed: Bearer ${secret}`))],
    [
      "throws",
      () => {
        throw new TypeError(secret)
      },
    ],
    ["rejects with no error", () => Promise.reject(secret)],
    ["answers with an error response", async () => Response.error()],
    ["answers with nothing", (async () => undefined) as unknown as FetchFunction],
  ])("that %s fails as the network's fault, in our own words", async (_, fetch) => {
    const error = await failure(fetch)
    expect(error).toMatchObject({ _tag: "NetworkError", code: "FETCH_FAILED" })
    new CanaryScanner([secret]).expectNone(error, "the error")
  })

  it("whose body fails does not show why", async () => {
    const body = (): ReadableStream<Uint8Array> =>
      new ReadableStream({ pull: (controller) => controller.error(new Error(secret)) })
    const whole = await send(answering(body()))
    const error: unknown = await whole.bytes().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ _tag: "NetworkError", code: "BODY_FAILED" })
    const streamed = await send(answering(body()))
    const other: unknown = await new Response(streamed.stream()).text().catch((thrown: unknown) => thrown)
    expect(other).toMatchObject({ _tag: "NetworkError", code: "BODY_FAILED" })
    new CanaryScanner([secret]).expectNone([error, other], "the errors")
  })

  it("that never answers is given up, told so, and its late answer thrown away", async () => {
    let answer: ((response: Response) => void) | undefined
    let signal: AbortSignal | null | undefined
    let isCancelled = false
    const fetch: FetchFunction = (_, init) => {
      signal = init.signal
      return new Promise((resolve) => (answer = resolve))
    }
    const error = await failure(fetch, { timeoutMs: 30 })
    expect(error).toMatchObject({ _tag: "EgressTimeoutError", phase: "response", timeoutMs: 30 })
    expect(signal?.aborted).toBe(true)
    const cancelled = new Promise<void>((resolve) => {
      answer?.(
        new Response(
          new ReadableStream({
            cancel: () => {
              isCancelled = true
              resolve()
            },
          }),
        ),
      )
    })
    await cancelled
    expect(isCancelled).toBe(true)
  })

  it("whose body falls silent is given up, as a whole and as a stream", async () => {
    for (const read of [
      (response: WireResponse) => response.bytes(),
      (response: WireResponse) => new Response(response.stream()).text(),
    ]) {
      const response = await send(answering(silent()), {}, { timeoutMs: 30 })
      await expect(read(response)).rejects.toMatchObject({ _tag: "EgressTimeoutError", phase: "body" })
    }
  })

  it("may be silent for longer than the limit in an event stream that was asked for", async () => {
    const late = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        await new Promise((resolve) => setTimeout(resolve, 100))
        controller.enqueue(Buffer.from("data: 1\n\n"))
        controller.close()
      },
    })
    const answer = answering(late, { headers: { "content-type": "text/event-stream" } })
    const response = await send(answer, { headers: { accept: "text/event-stream" } }, { timeoutMs: 30 })
    expect(await new Response(response.stream()).text()).toBe("data: 1\n\n")
  })

  it("may stream for longer than the limit while it moves", async () => {
    let sent = 0
    const moving = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        if ((sent += 1) > 60) controller.close()
        else controller.enqueue(Buffer.from("x"))
      },
    })
    const response = await send(answering(moving), {}, { timeoutMs: 1000 })
    expect(await new Response(response.stream()).text()).toBe("x".repeat(60))
  })

  it("is held to the size cap, and its body is cancelled", async () => {
    for (const read of [
      (response: WireResponse) => response.bytes(),
      (response: WireResponse) => toResponse(response, response.url).text(),
    ]) {
      let isCancelled = false
      const endless = new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(64)),
        cancel: () => {
          isCancelled = true
        },
      })
      const response = await send(answering(endless), {}, { maxResponseBytes: 1000 })
      await expect(read(response)).rejects.toMatchObject({ _tag: "ResponseTooLargeError" })
      expect(isCancelled).toBe(true)
    }
  })

  it("that does not listen to its signal is stopped all the same", async () => {
    const response = await send(answering(silent()))
    const reading = new Response(response.stream()).text()
    const done = new Promise<void>((resolve) => {
      response.whenDone(resolve)
    })
    response.abort()
    await expect(reading).rejects.toMatchObject({ _tag: "NetworkError", code: "ABORTED" })
    await done
    const early = await send(answering(silent()))
    early.abort()
    await expect(new Response(early.stream()).text()).rejects.toMatchObject({ code: "ABORTED" })
  })

  it("is aborted by an interruption", async () => {
    const started = Promise.withResolvers<AbortSignal>()
    const fetch: FetchFunction = (_, init) => {
      started.resolve(init.signal as AbortSignal)
      return never
    }
    const fiber = Effect.runFork(new Egress({ fetch }).send(request(), noAuthorizer))
    const signal = await started.promise
    await Effect.runPromise(Fiber.interrupt(fiber))
    expect(signal.aborted).toBe(true)
  })
})

const secret = canary("fetch")
