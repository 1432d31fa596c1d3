import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { catalogueOf, operationWith, problemOf, requestOf } from "../support/catalogueOf.ts"

const query = (parameter: object): object =>
  operationWith({ parameters: [{ name: "color", in: "query", ...parameter }] })
const path = (parameter: object): object =>
  operationWith(
    { parameters: [{ name: "color", in: "path", required: true, ...parameter }] },
    { path: "/c/{color}/end" },
  )
const header = (parameter: object): object =>
  operationWith({ parameters: [{ name: "X-Color", in: "header", ...parameter }] })
const cookie = (parameter: object): object =>
  operationWith({ parameters: [{ name: "color", in: "cookie", ...parameter }] })

const searchOf = async (spec: object, value: unknown): Promise<string> =>
  /\?(.*)$/.exec((await requestOf(spec, { color: value })).url)?.[1] ?? ""
const pathOf = async (spec: object, value: unknown): Promise<string> =>
  /\/c\/(.*)\/end$/.exec((await requestOf(spec, { color: value })).url)?.[1] ?? ""

const list = ["blue", "black", "brown"]
const rgb = { R: 100, G: 200, B: 150 }

describe("path parameters", () => {
  it.each([
    [{}, "blue", "blue"],
    [{}, list, "blue,black,brown"],
    [{}, rgb, "R,100,G,200,B,150"],
    [{ explode: true }, rgb, "R=100,G=200,B=150"],
    [{ style: "label" }, "blue", ".blue"],
    [{ style: "label" }, list, ".blue,black,brown"],
    [{ style: "label", explode: true }, list, ".blue.black.brown"],
    [{ style: "label" }, rgb, ".R,100,G,200,B,150"],
    [{ style: "label", explode: true }, rgb, ".R=100.G=200.B=150"],
    [{ style: "matrix" }, "blue", ";color=blue"],
    [{ style: "matrix" }, list, ";color=blue,black,brown"],
    [{ style: "matrix", explode: true }, list, ";color=blue;color=black;color=brown"],
    [{ style: "matrix" }, rgb, ";color=R,100,G,200,B,150"],
    [{ style: "matrix", explode: true }, rgb, ";R=100;G=200;B=150"],
    [{ content: { "application/json": { schema: {} } } }, { a: 1 }, "%7B%22a%22%3A1%7D"],
  ])("writes %j of %j as %s", async (style, value, expected) => {
    expect(await pathOf(path(style), value)).toBe(expected)
  })

  it("encodes everything that could end the segment", async () => {
    expect(await pathOf(path({}), "a/b?c#d%2Fe;f=g é")).toBe("a%2Fb%3Fc%23d%252Fe%3Bf%3Dg%20%C3%A9")
  })

  it.each([
    "",
    ".",
    "..",
    "%2e%2e",
    "%252e%252e",
    "..;/admin",
    "a/../b",
    "a\\..\\b",
    "./x",
    "%2e%2e%2fadmin",
    "..%5cadmin",
  ])("refuses %j, which would change the shape of the path", async (value) => {
    expect(await problemOf(path({}), { color: value })).toMatch(/^\/color (must not be empty|must not hold)/)
  })

  it.each(["a\r\nb", "a\0b", "\u001b"])("refuses control characters (%j)", async (value) => {
    expect(await problemOf(path({}), { color: value })).toMatch(/control characters/)
  })

  it("refuses half of a surrogate pair", async () => {
    expect(await problemOf(path({}), { color: "\ud83d" })).toMatch(/surrogate/)
  })

  it("refuses an empty list and an empty object, which would leave the segment empty", async () => {
    expect(await problemOf(path({}), { color: [] })).toMatch(/must not be empty/)
    expect(await problemOf(path({}), { color: {} })).toMatch(/must not be empty/)
  })

  it("refuses a missing argument", async () => {
    expect(await problemOf(path({}), {})).toBe("/color is missing")
  })

  it("keeps names and dots that are no dot segment", async () => {
    expect(await pathOf(path({}), "v1.2..x")).toBe("v1.2..x")
    expect(await pathOf(path({}), "...")).toBe("...")
  })

  it("refuses neighbours that make a dot segment together", async () => {
    const parameters = ["a", "b"].map((name) => ({ name, in: "path", required: true, schema: { type: "string" } }))
    const spec = operationWith({ parameters }, { path: "/x/.{a}/y" })
    expect(await problemOf(spec, { a: "." })).toMatch(/path segment/)
    expect((await requestOf(spec, { a: "well-known" })).url).toBe("https://api.example.com/v1/x/.well-known/y")
  })
})

describe("query parameters", () => {
  it.each([
    [{}, "blue", "color=blue"],
    [{}, "", "color="],
    [{}, 0, "color=0"],
    [{}, false, "color=false"],
    [{}, list, "color=blue&color=black&color=brown"],
    [{ explode: false }, list, "color=blue,black,brown"],
    [{}, rgb, "R=100&G=200&B=150"],
    [{ explode: false }, rgb, "color=R,100,G,200,B,150"],
    [{ style: "spaceDelimited", explode: false }, list, "color=blue%20black%20brown"],
    [{ style: "pipeDelimited", explode: false }, list, "color=blue%7Cblack%7Cbrown"],
    [{ style: "pipeDelimited", explode: true }, list, "color=blue&color=black&color=brown"],
    [{ style: "deepObject", explode: true }, rgb, "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"],
    [{ style: "deepObject" }, { a: { b: [1, 2] } }, "color%5Ba%5D%5Bb%5D%5B%5D=1&color%5Ba%5D%5Bb%5D%5B%5D=2"],
    [{ style: "deepObject" }, { a: [{ b: 1 }] }, "color%5Ba%5D%5B0%5D%5Bb%5D=1"],
    [{ content: { "application/json": { schema: {} } } }, { a: [1] }, "color=%7B%22a%22%3A%5B1%5D%7D"],
    [{}, "a&b=c#d+e", "color=a%26b%3Dc%23d%2Be"],
    [{ allowReserved: true }, "/a?b=c,d:e@f", "color=/a?b=c,d:e@f"],
    [{ allowReserved: true }, "a&b#c+d%2Fe%zz", "color=a%26b%23c%2Bd%2Fe%25zz"],
    [{}, [], ""],
    [{}, {}, ""],
    [{}, null, ""],
    [{}, ["a", null, "b"], "color=a&color=b"],
    [{ explode: false }, ["a,b", "c"], "color=a%2Cb,c"],
  ])("writes %j of %j as %s", async (style, value, expected) => {
    expect(await searchOf(query(style), value)).toBe(expected)
  })

  it("sends what the parser of the other side reads back, whatever the text", async () => {
    const spec = query({})
    const operation = (await catalogueOf(spec)).operation("call")!
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(new URL(operation.build({ color: text }).url).searchParams.get("color")).toBe(text)
      }),
    )
  })

  it("joins parameters with & and keeps a query that the path template has", async () => {
    const parameters = ["a", "b"].map((name) => ({ name, in: "query", schema: {} }))
    const spec = operationWith({ parameters }, { path: "/x?fixed=1#fragment" })
    expect((await requestOf(spec, { b: 2, a: 1 })).url).toBe("https://api.example.com/v1/x?fixed=1&a=1&b=2")
  })

  it("writes the whole query of a 3.2 querystring parameter", async () => {
    const content = { "application/x-www-form-urlencoded": { schema: { type: "object" } } }
    const spec = { ...operationWith({ parameters: [{ name: "all", in: "querystring", content }] }), openapi: "3.2.0" }
    expect((await requestOf(spec, { all: { a: 1, b: ["x", "y z"] } })).url).toBe(
      "https://api.example.com/v1/?a=1&b=%5B%22x%22%2C%22y%20z%22%5D",
    )
  })
})

describe("header parameters", () => {
  it.each([
    [{}, "blue", "blue"],
    [{}, list, "blue,black,brown"],
    [{}, rgb, "R,100,G,200,B,150"],
    [{ explode: true }, rgb, "R=100,G=200,B=150"],
    [{ content: { "application/json": {} } }, { a: 1 }, '{"a":1}'],
  ])("writes %j of %j as %s", async (style, value, expected) => {
    expect((await requestOf(header(style), { "X-Color": value })).headers["x-color"]).toBe(expected)
  })

  it.each(["a\r\nInjected: yes", "a\nb", "a\0b", "a\tb", "\u007f", "€"])("refuses %j", async (value) => {
    expect(await problemOf(header({}), { "X-Color": value })).toMatch(/^\/X-Color holds characters/)
  })

  it("refuses control characters inside lists and objects", async () => {
    expect(await problemOf(header({}), { "X-Color": ["a", "b\r\nc"] })).toMatch(/holds characters/)
    expect(await problemOf(header({ explode: true }), { "X-Color": { "a\r\nb": 1 } })).toMatch(/holds characters/)
  })

  it.each([
    "Accept",
    "Content-Type",
    "authorization",
    "Host",
    "Cookie",
    "Content-Length",
    "Transfer-Encoding",
    "bad name",
  ])("ignores a parameter called %s", async (name) => {
    const { headers } = await requestOf(operationWith({ parameters: [{ name, in: "header", schema: {} }] }), {
      [name]: "x",
    })
    expect(headers).toEqual({ accept: "application/json, */*;q=0.5" })
  })
})

describe("cookie parameters", () => {
  it.each([
    [{}, "blue; admin=1", "color=blue%3B%20admin%3D1"],
    [{}, list, "color=blue; color=black; color=brown"],
    [{ explode: false }, list, "color=blue,black,brown"],
  ])("writes %j of %j as %s", async (style, value, expected) => {
    expect((await requestOf(cookie(style), { color: value })).headers["cookie"]).toBe(expected)
  })

  it("joins several cookies with a semicolon", async () => {
    const parameters = ["a", "b"].map((name) => ({ name, in: "cookie", schema: {} }))
    expect((await requestOf(operationWith({ parameters }), { a: 1, b: 2 })).headers["cookie"]).toBe("a=1; b=2")
  })
})
