import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { InvalidArgumentError } from "../../src/request/request.ts"
import { catalogueOf, documentWith, operationWith, origin, requestOf } from "../support/catalogueOf.ts"

const hostilePieces = [
  "//evil.example",
  "https://evil.example/",
  "\\",
  "\\\\evil.example",
  "@evil.example",
  ":pass@",
  "..",
  ".",
  "../",
  "..;/",
  "%2e%2e",
  "%2E.",
  "%252e%252e%252f",
  "%2f",
  "%5c",
  "/",
  "?",
  "#",
  "&a=b",
  ";",
  "\r\n",
  "\n",
  "\t",
  "\0",
  "\ud800",
  "\udfff",
  "\u2025",
  "\uff0e\uff0e",
  "{path}",
  "__proto__",
  "constructor",
  " ",
  "%",
  "%zz",
  "é",
]

const hostileText = fc.oneof(
  fc.array(fc.constantFrom(...hostilePieces), { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join("")),
  fc.string({ unit: "binary" }),
)
const hostileValue = fc.oneof(
  hostileText,
  fc.array(hostileText, { maxLength: 3 }),
  fc.dictionary(hostileText, hostileText, { maxKeys: 3 }),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
)

const everywhere = documentWith({
  "/items/{simple}/{label}/{matrix}/end": {
    post: {
      operationId: "call",
      responses: {},
      parameters: [
        { name: "simple", in: "path", required: true },
        { name: "label", in: "path", required: true, style: "label", explode: true },
        { name: "matrix", in: "path", required: true, style: "matrix", explode: true },
        { name: "form", in: "query" },
        { name: "reserved", in: "query", allowReserved: true },
        { name: "deep", in: "query", style: "deepObject" },
        { name: "X-Header", in: "header" },
        { name: "cookie", in: "cookie" },
      ],
      requestBody: { content: { "application/x-www-form-urlencoded": { schema: { type: "object" } } } },
    },
  },
})

describe("hostile arguments", () => {
  it("never move the origin, the shape of the path, or a header's end", async () => {
    const operation = (await catalogueOf(everywhere)).operation("call")!
    fc.assert(
      fc.property(
        fc.record(
          Object.fromEntries(
            ["simple", "label", "matrix", "form", "reserved", "deep", "X-Header", "cookie"].map((name) => [
              name,
              hostileValue,
            ]),
          ),
        ),
        (args) => {
          let request
          try {
            request = operation.build(args)
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(InvalidArgumentError)
            return
          }
          expect(request.url).toMatch(
            /^https:\/\/api\.example\.com\/v1\/items\/[^/?#\\]+\/\.[^/?#\\]*\/;[^/?#\\]*\/end(\?[^#]*)?$/,
          )
          const url = new URL(request.url)
          expect(url.origin).toBe(origin)
          // The parser changed nothing: what was built is what is sent.
          expect(url.href).toBe(request.url)
          expect(url.pathname.split("/")).toHaveLength(7)
          for (const value of Object.values(request.headers)) expect(value).toMatch(/^[\u0020-\u007e\u00a0-\u00ff]*$/)
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it("never make the builder throw anything but a complaint about the argument, in any body", async () => {
    const kinds = [
      "application/json",
      "application/x-www-form-urlencoded",
      "multipart/form-data",
      "text/plain",
      "image/png",
    ]
    const builders = await Promise.all(
      kinds.map(async (kind) => {
        const schema = { type: "object", properties: { file: { type: "string", format: "binary" }, a: {} } }
        const body = { content: { [kind]: { schema } } }
        return (await catalogueOf(operationWith({ requestBody: body }, { method: "post" }))).operation("call")!
      }),
    )
    fc.assert(
      fc.property(
        fc.oneof(hostileValue, fc.anything(), fc.record({ file: fc.anything(), a: hostileValue })),
        (body) => {
          for (const operation of builders) {
            try {
              const { headers, url } = operation.build({ body })
              expect(url).toBe(`${origin}/v1/`)
              expect(Object.values(headers).join("")).toMatch(/^[\u0020-\u007e]*$/)
            } catch (thrown) {
              expect(thrown).toBeInstanceOf(InvalidArgumentError)
            }
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  it("never reads a property that the arguments do not have themselves", async () => {
    const parameters = ["constructor", "toString", "hasOwnProperty"].map((name) => ({ name, in: "query", schema: {} }))
    expect((await requestOf(operationWith({ parameters }), {})).url).toBe(`${origin}/v1/`)
  })
})

describe("the path template", () => {
  it("is encoded where a URL parser would change it", async () => {
    const spec = operationWith({}, { path: "/a b/ü/%zz/%2F/{id}" })
    expect((await requestOf(spec, { id: "x" })).url).toBe(`${origin}/v1/a%20b/%C3%BC/%25zz/%2F/x`)
  })

  it("is refused where it leads upwards by itself", async () => {
    await expect(requestOf(operationWith({}, { path: "/a/../../b" }), {})).rejects.toThrow(/"\." or "\.\."/)
  })

  it.each(["/a/{id+}", "/a/{id*}", "/a/{ id }", "/a/{id:.+}"])("may be written as %s", async (path) => {
    const parameters = [{ name: "id", in: "path", required: true, schema: { type: "integer" } }]
    const catalogue = await catalogueOf(operationWith({ parameters }, { path }))
    expect(catalogue.describe("call")!.inputSchema["properties"]).toEqual({ id: { type: "integer" } })
    expect(catalogue.operation("call")!.build({ id: 1 }).url).toBe(`${origin}/v1/a/1`)
  })

  it("takes arguments for holes that nobody declared", async () => {
    expect((await requestOf(operationWith({}, { path: "/a/{id}" }), { id: "x/y" })).url).toBe(`${origin}/v1/a/x%2Fy`)
  })
})

describe("the accept header", () => {
  const accepting = async (...mediaTypes: string[]): Promise<string | undefined> => {
    const content = Object.fromEntries(mediaTypes.map((mediaType) => [mediaType, {}]))
    return (await requestOf(operationWith({ responses: { 200: { description: "", content } } }), {})).headers["accept"]
  }

  it("asks for the declared JSON first, and takes anything so that errors can be read", async () => {
    expect(await accepting("application/xml", "application/vnd.api+json")).toBe(
      "application/vnd.api+json, application/json;q=0.9, */*;q=0.5",
    )
    expect(await accepting("image/png")).toBe("image/png, application/json;q=0.9, */*;q=0.5")
    expect(await accepting()).toBe("application/json, */*;q=0.5")
  })

  it("leaves out what would not be a header", async () => {
    expect(await accepting("text/\r\nx", "no-type")).toBe("application/json, */*;q=0.5")
  })
})
