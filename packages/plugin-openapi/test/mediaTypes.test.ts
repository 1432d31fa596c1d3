import { describe, expect, it } from "vitest"
import { isMediaType, kindOfMediaType } from "../src/mediaTypes.ts"

describe("the kind of a media type", () => {
  it.each([
    ["application/json", "json"],
    ["Application/JSON; charset=utf-8", "json"],
    ["text/json", "json"],
    ["application/vnd.github.v3+json", "json"],
    ["application/json-patch+json", "json"],
    ["application/vnd.api.json", "json"],
    ["application/x-amz-json-1.1", "json"],
    ["application/x-ndjson", "text"],
    ["application/json-seq", "text"],
    ["application/xml", "text"],
    ["application/atom+xml", "text"],
    ["application/yaml", "text"],
    ["text/csv", "text"],
    ["text/*", "text"],
    ["application/x-www-form-urlencoded", "form"],
    ["multipart/form-data; boundary=x", "multipart"],
    ["image/*", "binary"],
    ["image/svg+xml", "text"],
    ["application/pdf", "binary"],
    ["application/octet-stream", "binary"],
    ["", "binary"],
    ["*/*", undefined],
    ["application/*", undefined],
  ])("%s is %s, however often it is asked", (mediaType, kind) => {
    expect(kindOfMediaType(mediaType)).toBe(kind)
    expect(kindOfMediaType(mediaType)).toBe(kind)
  })

  it("is well-formed only where it can stand in a header", () => {
    for (const mediaType of ["a/b", 'a/b; c="d e"', "application/vnd.x+json; charset=utf-8"]) {
      expect(isMediaType(mediaType)).toBe(true)
    }
    for (const mediaType of ["a", "a/b\r\nc: d", "a/b; c=é", "a/b;", "a /b", ""])
      expect(isMediaType(mediaType)).toBe(false)
  })
})
