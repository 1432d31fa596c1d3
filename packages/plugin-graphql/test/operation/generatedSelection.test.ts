import { describe, expect, it } from "vitest"
import { catalogueOf, complaints } from "../support/catalogueOf.ts"

/** The default selection of the field `call`. */
const selectionOf = (types: string, name = "query.call"): string | undefined => {
  const catalogue = catalogueOf(types)
  const operation = catalogue.operation(name)
  if (operation === undefined) throw new Error("the schema has no field called `call`")
  expect(complaints(catalogue.schema, operation.document)).toEqual([])
  return operation.selection
}

describe("the default selection", () => {
  it("of a scalar is none", () => {
    expect(selectionOf("type Query { call: Int }")).toBeUndefined()
  })

  it("takes the scalars of the type, and of the objects in it what tells them apart", () => {
    expect(
      selectionOf(`
        type Query { call: User }
        type User { id: ID!, bio: String, team: Team, old: Int @deprecated }
        type Team { a: Int, b: Int, c: Int, d: Int, e: Int, f: Int, name: String!, lead: User }
      `),
    ).toBe("{id bio team{name a b c d}}")
  })

  it("leaves out what needs arguments, is paged, or sounds like a secret", () => {
    expect(
      selectionOf(`
        type Query { call: User }
        type User {
          id: ID!
          repository(name: String!): Repository
          posts(first: Int): [Post!]!
          items(size: Int): ItemConnection
          apiKey: String
          cloneToken: String
          nextPageToken: String
        }
        type Post { id: ID! }
        type Repository { id: ID! }
        type ItemConnection { nodes: [Post] pageInfo: Info }
        type Info { hasNextPage: Boolean }
      `),
    ).toBe("{id nextPageToken}")
  })

  it("shows the secret that a mutation made", () => {
    expect(
      selectionOf("type Query { a: Int } type Mutation { call: Made } type Made { token: String }", "mutation.call"),
    ).toBe("{token}")
  })

  it("of a page is what is on it, and where it is in the list", () => {
    const types = `
      type User { id: ID!, name: String, team: Team }
      type Team { id: ID! }
      type PageInfo { hasNextPage: Boolean!, endCursor: String }
    `
    expect(
      selectionOf(`type Query { call(first: Int): UserConnection } ${types}
        type UserConnection { totalCount: Int, pageInfo: PageInfo!, nodes: [User], edges: [Edge] } type Edge { node: User }`),
    ).toBe("{totalCount pageInfo{hasNextPage endCursor}nodes{id name team{id}}}")
    expect(
      selectionOf(`type Query { call(first: Int): UserConnection } ${types}
        type UserConnection { pageInfo: PageInfo!, edges: [Edge] } type Edge { cursor: String!, node: User }`),
    ).toBe("{pageInfo{hasNextPage endCursor}edges{cursor node{id name team{id}}}}")
  })

  it("of a mutation looks through its payload", () => {
    expect(
      selectionOf(
        `type Query { a: Int } type Mutation { call: CreateUserPayload }
        type CreateUserPayload { user: User, userErrors: [UserError!]!, query: Query }
        type User { id: ID!, team: Team } type Team { id: ID!, name: String }
        type UserError { field: String, message: String! }`,
        "mutation.call",
      ),
    ).toBe("{user{id team{id name}}userErrors{field message}}")
  })

  it("of a union has a fragment for each member, and another name where they disagree", () => {
    expect(
      selectionOf(`type Query { call: Thing } union Thing = A | B
        type A { id: ID!, state: String!, size: Int } type B { id: ID!, state: Int, size: Int }`),
    ).toBe("{__typename ...on A{id state size}...on B{id state_B:state size}}")
  })

  it("of an interface has its own fields once, and those of its members", () => {
    expect(
      selectionOf(`type Query { call: Node } interface Node { id: ID!, owner: Node }
        type A implements Node { id: ID!, owner: A, name: String } type B implements Node { id: ID!, owner: B, title: String }`),
    ).toBe("{__typename id owner{__typename id}...on A{name}...on B{title}}")
  })

  it("gives each of several members a share", () => {
    const members = Array.from({ length: 10 }, (_, index) => `M${index}`)
    const fields = Array.from({ length: 40 }, (_, index) => `f${index}: Int`)
    const selection = selectionOf(
      `type Query { call: Any } union Any = ${members.join(" | ")} ${members.map((name) => `type ${name} { ${fields.join(" ")} }`).join("\n")}`,
    )
    for (const member of members) expect(selection).toContain(`...on ${member}{f0`)
  })

  it("says what it is where there is nothing else to say", () => {
    expect(selectionOf("type Query { call: Empty } type Empty { one(id: ID!): Int }")).toBe("{__typename}")
  })

  it("ends for types that hold themselves, and stays small for wide ones", () => {
    expect(selectionOf("type Query { call: Query, a: Int }")).toBe("{a}")
    const fields = Array.from({ length: 300 }, (_, index) => `f${index}: Int, o${index}: Wide`)
    const selection = selectionOf(`type Query { call: Wide } type Wide { ${fields.join(" ")} }`) ?? ""
    expect(selection.split(/[ {}]+/).length).toBeLessThan(160)
  })
})
