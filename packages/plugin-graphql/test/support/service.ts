/** A real GraphQL service on the loopback, and an executor that may reach it. */
import { createServer, type IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"
import { createExecutor, memoryProvider } from "@keyward/core"
import { GraphQLError } from "graphql"
import { createSchema, createYoga } from "graphql-yoga"
import { graphqlPlugin, type GraphQLPluginOptions } from "../../src/index.ts"

/** What the service holds: people with a team, posts in pages, a union, an interface, a recursive filter. */
export const typeDefs = /* GraphQL */ `
  "When something happened."
  scalar DateTime
  enum Role {
    ADMIN
    MEMBER
  }
  input PersonFilter {
    role: Role = MEMBER
    and: [PersonFilter!]
  }
  input CreatePersonInput {
    name: String!
    role: Role = MEMBER
    bornAt: DateTime
  }
  interface Node {
    id: ID!
  }
  type Team implements Node {
    id: ID!
    name: String!
  }
  type Person implements Node {
    id: ID!
    name: String!
    role: Role!
    team: Team
    secretNote: String
    posts(first: Int!): [Post!]!
    broken: String @deprecated(reason: "It fails.")
  }
  type Post {
    id: ID!
    title: String!
  }
  type PageInfo {
    hasNextPage: Boolean!
    endCursor: String
  }
  type PersonConnection {
    totalCount: Int!
    nodes: [Person!]!
    pageInfo: PageInfo!
  }
  union Found = Person | Team
  type CreatePersonPayload {
    person: Person
  }
  type Query {
    "Finds one person."
    person(id: ID!): Person
    people(first: Int = 10, filter: PersonFilter): PersonConnection!
    find(text: String!): [Found!]!
    node(id: ID!): Node
    echo(text: String): String
    whoami: String
    fail(code: String!): String
    strict: String!
  }
  type Mutation {
    "Adds a person."
    createPerson(input: CreatePersonInput!): CreatePersonPayload!
    deletePerson(id: ID!): Boolean!
  }
  type Subscription {
    personAdded: Person
  }
`

const team = { __typename: "Team", id: "t1", name: "Red" }
const ada = { __typename: "Person", id: "1", name: "Ada", role: "ADMIN", team, secretNote: "n" }

/** What a request to the service was. */
interface SeenRequest {
  readonly headers: IncomingHttpHeaders
  readonly query: string
  readonly variables: unknown
}

/** How the service behaves. */
export interface ServiceOptions {
  /** Answers nobody without this token, introspection included. */
  readonly token?: string | undefined
  /** How it says that the token is missing. Default: 401. */
  readonly refusal?: "401" | "200" | undefined
  readonly plugin?: GraphQLPluginOptions | undefined
}

/** Starts a service and an executor. */
export const startService = async ({ token, refusal = "401", plugin }: ServiceOptions = {}) => {
  const seen: Array<SeenRequest> = []
  const yoga = createYoga({
    logging: false,
    maskedErrors: false,
    schema: createSchema({
      typeDefs,
      resolvers: {
        Query: {
          person: (_, { id }: { id: string }) => (id === "1" ? ada : null),
          people: (_, args: unknown) => ({ totalCount: 1, nodes: [ada], pageInfo: { hasNextPage: false }, args }),
          find: () => [ada, team],
          node: () => team,
          echo: (_, { text }: { text?: string }) => text ?? null,
          whoami: (_, __, { request }: { request: Request }) => request.headers.get("authorization"),
          fail: (_, { code }: { code: string }) => {
            throw new GraphQLError(`It failed with ${code}.`, { extensions: { code } })
          },
          strict: () => {
            throw new GraphQLError("Not to be had.")
          },
        },
        Person: {
          posts: (_, { first }: { first: number }) => [{ id: "p1", title: `First ${first}` }],
          broken: () => {
            throw new GraphQLError("Broken.", { extensions: { code: "INTERNAL_SERVER_ERROR" } })
          },
        },
        Mutation: {
          createPerson: (_, { input }: { input: object }) => ({ person: { ...ada, ...input, id: "2" } }),
          deletePerson: () => true,
        },
      },
    }),
  })
  const forward = async (path: string, headers: IncomingHttpHeaders, body: string): Promise<Response> =>
    yoga.fetch(`http://service.test${path}`, { method: "POST", headers: headers as Record<string, string>, body })
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString()
      const sent = JSON.parse(body === "" ? "{}" : body) as { query?: string; variables?: unknown }
      seen.push({ headers: request.headers, query: sent.query ?? "", variables: sent.variables })
      if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
        const errors = [{ message: "Sign in first.", extensions: { code: "UNAUTHENTICATED" } }]
        response.writeHead(refusal === "401" ? 401 : 200, { "content-type": "application/json" })
        response.end(JSON.stringify({ errors }))
        return
      }
      void forward(request.url ?? "/", request.headers, body).then(async (answer) => {
        response.writeHead(answer.status, Object.fromEntries(answer.headers))
        response.end(await answer.text())
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const endpoint = `http://127.0.0.1:${port}/graphql`
  const executor = await createExecutor({
    plugins: [graphqlPlugin(plugin)],
    providers: [memoryProvider()],
    egress: { allowHosts: [`127.0.0.1:${port}`] },
  })
  return {
    endpoint,
    executor,
    seen,
    connect: (value = token ?? "token") =>
      executor.connections.create({ owner: "org", integration: "people", name: "main", template: "bearer", value }),
    call: (tool: string, args?: Record<string, unknown>) => executor.execute(`tools.people.org.main.${tool}`, args),
    [Symbol.asyncDispose]: async () => {
      await executor.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
