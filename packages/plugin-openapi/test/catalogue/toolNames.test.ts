import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type NamedOperation, toolNames } from "../../src/catalogue/toolNames.ts"

const named = (operationId: string | undefined, method = "GET", path = "/"): string =>
  toolNames([{ operationId, method, path }])[0]!

describe("a tool's name", () => {
  it.each([
    ["getPetById", "getPetById"],
    ["get_pet", "get_pet"],
    ["repos/get", "repos.get"],
    ["actions/list-jobs-for-workflow-run", "actions.listJobsForWorkflowRun"],
    ["pets.list", "pets.list"],
    ["list-pets", "listPets"],
    ["List all pets", "listAllPets"],
    ["2fa-enable", "_2faEnable"],
    ["größe", "größe"],
    ["API-Key", "APIKey"],
    ["__proto__", "__proto___"],
    ["a//b", "a.b"],
    ["delete", "delete"],
  ])("comes from the operationId %j: %s", (operationId, expected) => {
    expect(named(operationId)).toBe(expected)
  })

  it.each([
    [undefined, "GET", "/users/{id}/posts", "getUsersByIdPosts"],
    ["", "POST", "/", "post"],
    ["!!!", "DELETE", "/a-b/{c.d}", "deleteABByCD"],
    ["\ud800", "GET", "/x", "getX"],
  ])("comes from method and path when the operationId is %j", (operationId, method, path, expected) => {
    expect(named(operationId, method, path)).toBe(expected)
  })

  it("tells operations apart that want the same one, by method and path", () => {
    expect(
      toolNames([
        { operationId: "list", method: "GET", path: "/a" },
        { operationId: "list", method: "GET", path: "/b" },
        { operationId: "other", method: "GET", path: "/c" },
      ]),
    ).toEqual(["list_getA", "list_getB", "other"])
  })

  it("is unique, well-formed, and the same whatever the order of the document", () => {
    const operation = fc.record({
      operationId: fc.option(
        fc.oneof(
          fc.constantFrom("a", "a/b", "a-b", "aB", "get", "", "__proto__"),
          fc.string({ unit: "binary", maxLength: 300 }),
        ),
        { nil: undefined },
      ),
      method: fc.constantFrom("GET", "POST"),
      path: fc.oneof(
        fc.constantFrom("/a", "/a/", "/A", "/a-b", "/aB", "/{a}", "/{b}", "/by/a"),
        fc.string({ unit: "binary" }),
      ),
    })
    fc.assert(
      fc.property(
        fc.uniqueArray(operation, { maxLength: 12, selector: ({ method, path }) => `${method} ${path}` }),
        fc.infiniteStream(fc.nat()),
        (operations, random) => {
          const names = toolNames(operations)
          expect(new Set(names).size).toBe(operations.length)
          for (const name of names) {
            expect(name).toMatch(/^[\p{ID_Start}_$][\p{ID_Continue}$]*(\.[\p{ID_Start}_$][\p{ID_Continue}$]*)*$/u)
            expect(name.length).toBeLessThanOrEqual(512)
          }
          const nameOf = new Map<NamedOperation, string>(operations.map((one, index) => [one, names[index]!]))
          const shuffled = [...operations].sort(() => (random.next().value % 3) - 1)
          expect(toolNames(shuffled)).toEqual(shuffled.map((one) => nameOf.get(one)))
        },
      ),
      { numRuns: 200 },
    )
  })
})
