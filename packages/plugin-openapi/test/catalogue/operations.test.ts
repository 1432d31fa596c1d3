import { describe, expect, it } from "vitest"
import { annotationsOf, descriptionOf } from "../../src/catalogue/operations.ts"
import { catalogueOf, documentWith } from "../support/catalogueOf.ts"

const listed = async (paths: object, rest: object = {}) => (await catalogueOf(documentWith(paths, rest))).operations

describe("the operations of a document", () => {
  it("are those of every method, OpenAPI 3.2's included, through references to path items", async () => {
    const operations = await listed(
      {
        "/a": {
          get: {},
          put: {},
          post: {},
          delete: {},
          options: {},
          head: {},
          patch: {},
          trace: {},
          query: {},
          summary: "s",
        },
        "/b": { $ref: "#/components/pathItems/Shared" },
        "/c": { additionalOperations: { COPY: {}, "bad method": {} } },
        "x-d": { get: {} },
      },
      { components: { pathItems: { Shared: { get: { operationId: "shared" } } } } },
    )
    expect(operations.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "GET /a",
      "PUT /a",
      "POST /a",
      "DELETE /a",
      "OPTIONS /a",
      "HEAD /a",
      "PATCH /a",
      "QUERY /a",
      "GET /b",
      "COPY /c",
    ])
  })

  it("are listed without what is malformed or there twice, each with a warning", async () => {
    const catalogue = await catalogueOf(
      documentWith({
        "/a": { get: { operationId: "a" }, GET: { operationId: "b" }, post: null, put: [] },
        "/b": 7,
        "/c": { $ref: "#/nowhere" },
      }),
    )
    expect(catalogue.operations.map(({ name }) => name)).toEqual(["a"])
    expect(catalogue.warnings).toHaveLength(5)
  })

  it.each([
    [undefined, undefined, false],
    [[{ key: [] }], undefined, false],
    [[{ key: [] }], [], true],
    [[{ key: [] }], [{}], true],
    [[{ key: [] }], [{}, { key: [] }], false],
    [[], undefined, true],
    ["nonsense", undefined, false],
  ])("with the root requirement %j and their own %j are anonymous: %s", async (security, own, isAnonymous) => {
    const operation = own === undefined ? {} : { security: own }
    const [found] = await listed({ "/a": { get: operation } }, security === undefined ? {} : { security })
    expect(found!.isAnonymous).toBe(isAnonymous)
  })
})

describe("hints", () => {
  it.each([
    ["get", "/a", true, false, true],
    ["head", "/a", true, false, true],
    ["options", "/a", true, false, true],
    ["query", "/a", true, false, true],
    ["put", "/a", false, true, true],
    ["delete", "/a", false, true, true],
    ["patch", "/a", false, true, false],
    ["post", "/a", false, false, false],
    ["post", "/a/batchDelete", false, true, false],
    ["post", "/a:purge", false, true, false],
    ["post", "/undeleted", false, false, false],
  ])(
    "of %s %s are readOnly %s, destructive %s, idempotent %s",
    async (method, path, readOnly, destructive, idempotent) => {
      const [operation] = await listed({ [path]: { [method]: {} } })
      expect(annotationsOf(operation!)).toEqual({
        readOnlyHint: readOnly,
        destructiveHint: destructive,
        idempotentHint: idempotent,
        openWorldHint: true,
      })
    },
  )
})

describe("descriptions", () => {
  const described = async (definition: object) => descriptionOf((await listed({ "/a": { get: definition } }))[0]!)

  it.each([
    [{ summary: "Gets.", description: "More." }, "Gets.\n\nMore."],
    [{ summary: "Gets it", description: "Gets it all." }, "Gets it all."],
    [{ description: "<p>A <code>b</code>.</p>  \r\n\r\n\r\n\r\nC" }, "A b.\n\nC"],
    [{ deprecated: true, summary: "Old" }, "Deprecated. Old"],
    [{}, "GET /a"],
  ])("of %j read %j", async (definition, expected) => {
    expect(await described(definition)).toBe(expected)
  })

  it("are cut at a length that a list can bear, between characters", async () => {
    const text = await described({ description: "👩".repeat(1_000) })
    expect(text.length).toBeLessThanOrEqual(1_000)
    expect(text.isWellFormed()).toBe(true)
  })
})
