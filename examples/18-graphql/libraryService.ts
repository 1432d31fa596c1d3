/** A GraphQL service on this machine: books and loans, behind a bearer token. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { GraphQLError } from "graphql"
import { createSchema, createYoga } from "graphql-yoga"

const typeDefs = /* GraphQL */ `
  enum Genre {
    FICTION
    SCIENCE
  }
  type Book {
    id: ID!
    title: String!
    genre: Genre!
    author: Author
    loans(first: Int!): [Loan!]!
    shelf: String @deprecated(reason: "The shelves are gone.")
  }
  type Author {
    id: ID!
    name: String!
    biography: String
  }
  type Loan {
    reader: String!
  }
  type Query {
    "Finds one book by its id."
    book(id: ID!): Book
    "Finds books."
    books(genre: Genre, limit: Int! = 10): [Book!]!
  }
  input LendInput {
    book: ID!
    reader: String!
  }
  type LendPayload {
    loan: Loan
    left: Int!
  }
  type Mutation {
    "Lends a book to a reader."
    createLoan(input: LendInput!): LendPayload!
  }
  type Subscription {
    bookReturned: Book
  }
`

const books = [
  { id: "1", title: "Frankenstein", genre: "FICTION", author: { id: "a", name: "Mary Shelley" } },
  { id: "2", title: "Relativity", genre: "SCIENCE", author: { id: "b", name: "Albert Einstein" } },
]

const schema = createSchema({
  typeDefs,
  resolvers: {
    Query: {
      book: (_, { id }: { id: string }) => books.find((book) => book.id === id),
      books: (_, { genre }: { genre?: string }) => books.filter((book) => genre === undefined || book.genre === genre),
    },
    Book: {
      loans: () => [{ reader: "Ada" }],
      shelf: () => {
        throw new GraphQLError("There are no shelves.")
      },
    },
    Mutation: {
      createLoan: (_, { input }: { input: { reader: string } }) => ({ loan: { reader: input.reader }, left: 2 }),
    },
  },
})

/** Starts the service; it answers nobody without the token, and says so inside an answer of 200. */
export const startLibraryService = async (token: string) => {
  const yoga = createYoga({
    schema,
    logging: false,
    plugins: [
      {
        onRequest: (event) => {
          if (event.request.headers.get("authorization") === `Bearer ${token}`) return
          const errors = [{ message: "Sign in first.", extensions: { code: "UNAUTHENTICATED" } }]
          event.endResponse(event.fetchAPI.Response.json({ errors }))
        },
      },
    ],
  })
  let requests = 0
  const server = createServer((request, response) => {
    requests += 1
    void yoga(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    host,
    endpoint: `http://${host}/graphql`,
    requests: () => requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
