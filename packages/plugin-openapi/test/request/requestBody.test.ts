import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { catalogueOf, operationWith, problemOf, requestOf } from "../support/catalogueOf.ts"

const posting = (content: object, rest: object = {}): object =>
  operationWith({ requestBody: { content, ...rest } }, { method: "post" })

/** Reads a multipart body back with the platform's parser. */
const formDataOf = async (spec: object, body: unknown): Promise<FormData> => {
  const request = await requestOf(spec, { body })
  return new Response(Buffer.from(request.body as Uint8Array), {
    headers: { "content-type": request.headers["content-type"]! },
  }).formData()
}

const bytesOf = async (part: File | string | null): Promise<Buffer> => Buffer.from(await (part as File).arrayBuffer())

describe("the media type of a body", () => {
  const json = { "application/json": {} }
  it.each([
    [{ "text/plain": {}, "application/x-www-form-urlencoded": {}, ...json }, "application/json"],
    [{ "application/xml": {}, "application/vnd.api+json": {} }, "application/vnd.api+json"],
    [{ "*/*": { schema: { type: "object" } } }, "application/json"],
    [{ "*/*": { schema: { type: "string", format: "binary" } } }, "application/octet-stream"],
    [{ "application/xml": {} }, "application/xml"],
    [{ "application/json; charset=utf-8": {} }, "application/json; charset=utf-8"],
    [{ "image/*": {} }, "application/octet-stream"],
  ])("of %j is %s", async (content, expected) => {
    const body = expected.includes("xml") ? "<a/>" : expected.includes("octet") ? { text: "x" } : { a: 1 }
    expect((await requestOf(posting(content), { body })).headers["content-type"]).toBe(expected)
  })

  it("is multipart where only that can carry a file", async () => {
    const schema = { type: "object", properties: { file: { type: "string", format: "binary" } } }
    const request = await requestOf(posting({ ...json, "multipart/form-data": { schema } }), {
      body: { file: { text: "x" } },
    })
    expect(request.headers["content-type"]).toMatch(/^multipart\/form-data; boundary=/)
  })

  it("is not sent without a body, and neither is a body that the operation does not take", async () => {
    expect(await requestOf(posting(json), {})).not.toHaveProperty("body")
    expect((await requestOf(posting(json), {})).headers).not.toHaveProperty("content-type")
    expect(await requestOf(operationWith({}, { method: "post" }), { body: 1 })).not.toHaveProperty("body")
  })
})

describe("a JSON body", () => {
  it("may be any JSON value", async () => {
    const spec = posting({ "application/json": {} })
    for (const body of [{ a: [1, null] }, [], "text", 0, false, null]) {
      expect(JSON.parse((await requestOf(spec, { body })).body as string)).toEqual(body)
    }
  })

  it("that is no JSON is a complaint about the argument", async () => {
    const cycle: Record<string, unknown> = {}
    cycle["self"] = cycle
    expect(await problemOf(posting({ "application/json": {} }), { body: cycle })).toBe(
      "/body cannot be written as JSON",
    )
    expect(await problemOf(posting({ "application/json": {} }), { body: 1n })).toBe("/body cannot be written as JSON")
  })
})

describe("a form body", () => {
  const form = (schema: object, encoding: object = {}): object =>
    posting({ "application/x-www-form-urlencoded": { schema, encoding } })

  it("repeats lists, writes what is nested as JSON, and leaves out what is not there", async () => {
    const { body, headers } = await requestOf(form({ type: "object" }), {
      body: { a: "x y&z=1", list: [1, 2], nested: { b: [1] }, none: null, "k[]": "+" },
    })
    expect(headers["content-type"]).toBe("application/x-www-form-urlencoded")
    expect(body).toBe("a=x%20y%26z%3D1&list=1&list=2&nested=%7B%22b%22%3A%5B1%5D%7D&k%5B%5D=%2B")
  })

  it("follows the encoding of each field", async () => {
    const properties = Object.fromEntries(["csv", "pipe", "deep", "exploded"].map((name) => [name, {}]))
    const encoding = {
      csv: { explode: false },
      pipe: { style: "pipeDelimited", explode: false },
      deep: { style: "deepObject", explode: true },
      exploded: { style: "form", explode: true },
    }
    const body = { csv: [1, 2], pipe: [1, 2], deep: { a: { b: 1 }, c: [2] }, exploded: { x: 1 } }
    expect((await requestOf(form({ type: "object", properties }, encoding), { body })).body).toBe(
      "csv=1,2&pipe=1%7C2&deep%5Ba%5D%5Bb%5D=1&deep%5Bc%5D%5B%5D=2&x=1",
    )
  })

  it("is read back exactly by the other side", async () => {
    const operation = (await catalogueOf(form({ type: "object" }))).operation("call")!
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: "binary", minLength: 1 }), fc.string({ unit: "binary" })),
        (fields) => {
          const { body } = operation.build({ body: fields })
          expect(Object.fromEntries(new URLSearchParams(body as string))).toEqual({ ...fields })
        },
      ),
    )
  })

  it("has to be an object", async () => {
    expect(await problemOf(form({}), { body: [1] })).toBe("/body must be an object of fields")
  })
})

describe("a multipart body", () => {
  const properties = {
    file: { type: "string", format: "binary" },
    files: { type: "array", items: { type: "string", contentMediaType: "application/octet-stream" } },
    avatar: {},
    meta: { type: "object" },
    note: { type: "string" },
    tags: { type: "array", items: { type: "string" } },
  }
  const schema = { allOf: [{ type: "object", properties, required: ["file"] }] }
  const encoding = {
    avatar: { contentType: "image/png, image/jpeg" },
    meta: { contentType: "application/merge-patch+json" },
  }
  const spec = posting({ "multipart/form-data": { schema, encoding } }, { required: true })

  it("carries files, several of them, texts, lists and JSON parts", async () => {
    const form = await formDataOf(spec, {
      file: {
        base64: Buffer.from([0, 255, 13, 10]).toString("base64"),
        filename: 'a"b\r\nc.bin',
        contentType: "application/x-thing",
      },
      files: [{ text: "one" }, { text: "zwei ü", filename: "2.txt", contentType: "text/plain" }],
      avatar: { text: "png" },
      meta: { a: 1 },
      note: "hello ü",
      tags: ["x", "y"],
    })
    const file = form.get("file") as File
    expect(await bytesOf(file)).toEqual(Buffer.from([0, 255, 13, 10]))
    expect(file.type).toBe("application/x-thing")
    expect(file.name).toBe('a"b\r\nc.bin')
    expect(await Promise.all(form.getAll("files").map(async (part) => (await bytesOf(part)).toString()))).toEqual([
      "one",
      "zwei ü",
    ])
    expect((form.get("avatar") as File).type).toBe("image/png")
    expect(form.get("note")).toBe("hello ü")
    expect(form.getAll("tags")).toEqual(["x", "y"])
    const { body } = await requestOf(spec, { body: { file: { text: "" }, meta: { a: 1 } } })
    expect(Buffer.from(body as Uint8Array).toString()).toMatch(
      /name="meta"\r\nContent-Type: application\/merge-patch\+json\r\n\r\n\{"a":1\}\r\n/,
    )
  })

  it("says in the schema what a file is", async () => {
    const { inputSchema } = (await catalogueOf(spec)).describe("call")!
    expect(inputSchema).toMatchObject({
      properties: {
        body: {
          description: "Sent as multipart/form-data.",
          properties: {
            file: { anyOf: [{ required: ["base64"] }, { required: ["text"] }] },
            files: { type: "array" },
            note: { type: "string" },
          },
          required: ["file"],
        },
      },
      required: ["body"],
    })
  })

  it.each([{ filename: "only" }, { base64: "not base64!" }, { base64: 7 }, 7, { text: "x", contentType: "a\r\nb: c" }])(
    "refuses %j as a file",
    async (file) => {
      expect(await problemOf(spec, { body: { file } })).toMatch(/^\/body (must be a file|has a contentType)/)
    },
  )

  it("keeps its parts apart, whatever is in them", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: "binary" }), async (bytes, note) => {
        const form = await formDataOf(spec, { file: { base64: Buffer.from(bytes).toString("base64") }, note })
        expect([...form.keys()]).toEqual(["file", "note"])
        expect(await bytesOf(form.get("file"))).toEqual(Buffer.from(bytes))
        expect(form.get("note")).toBe(note)
      }),
      { numRuns: 50 },
    )
  })
})

describe("other bodies", () => {
  it("are bytes, with the media type of the file where it has one", async () => {
    const spec = posting({ "image/png": { schema: { type: "string", format: "binary" } } })
    const bytes = await requestOf(spec, { body: { base64: "AP8=" } })
    expect(bytes).toMatchObject({ headers: { "content-type": "image/png" } })
    expect(Buffer.from(bytes.body as Uint8Array)).toEqual(Buffer.from([0, 255]))
    expect((await requestOf(spec, { body: { text: "x", contentType: "image/webp" } })).headers["content-type"]).toBe(
      "image/webp",
    )
  })

  it("are text as it stands", async () => {
    const xml = posting({ "application/xml": { schema: { type: "object", properties: { a: {} } } } })
    expect((await requestOf(xml, { body: "<a>1</a>" })).body).toBe("<a>1</a>")
    expect((await catalogueOf(xml)).describe("call")!.inputSchema["properties"]).toEqual({
      body: { type: "string", description: "Text, sent as application/xml." },
    })
  })
})
