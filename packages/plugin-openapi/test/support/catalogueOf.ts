/** Documents and catalogues for tests of the pure parts: no executor, no network. */
import type { AuthTemplate } from "@keyward/core"
import { Catalogue } from "../../src/catalogue/Catalogue.ts"
import { loadDocument, type OpenApiDocument } from "../../src/document/document.ts"
import type { DocumentSource } from "../../src/document/fetchDocument.ts"
import { InvalidArgumentError, type PreparedRequest } from "../../src/request/request.ts"

/** Where the documents of these tests live. */
export const origin = "https://api.example.com"

/** A source that has nothing. */
const noNetwork: DocumentSource = { fetch: () => Promise.reject(new Error("no network in this test")) }

/** A minimal document around some paths. */
export const documentWith = (paths: object, rest: object = {}): object => ({
  openapi: "3.0.3",
  info: { title: "Test", version: "1" },
  servers: [{ url: `${origin}/v1` }],
  paths,
  ...rest,
})

/** A document with the one operation `GET /` (or the given method and path), tool `call`. */
export const operationWith = (operation: object, { method = "get", path = "/", rest = {} } = {}): object =>
  documentWith({ [path]: { [method]: { operationId: "call", responses: {}, ...operation } } }, rest)

export const load = (spec: string | object): Promise<OpenApiDocument> => loadDocument(spec, noNetwork)

/** The catalogue of a document at its own origin. */
export const catalogueOf = async (
  spec: object | string,
  target: { origins?: string[]; baseUrl?: string | null; authTemplates?: AuthTemplate[] } = {},
): Promise<Catalogue> =>
  new Catalogue(await load(spec), {
    baseUrl: target.baseUrl ?? null,
    fallbackBaseUrl: origin,
    origins: target.origins ?? [origin],
    authTemplates: target.authTemplates ?? [],
  })

/** The request that the tool `call` of a document makes of arguments. */
export const requestOf = async (spec: object, args: Record<string, unknown>): Promise<PreparedRequest> => {
  const operation = (await catalogueOf(spec)).operation("call")
  if (operation === undefined) throw new Error("the document has no operation called `call`")
  return operation.build(args)
}

/** What is wrong with arguments, as the builder says it; `undefined` when nothing is. */
export const problemOf = async (spec: object, args: Record<string, unknown>): Promise<string | undefined> => {
  try {
    await requestOf(spec, args)
    return undefined
  } catch (thrown) {
    if (thrown instanceof InvalidArgumentError) return `${thrown.path} ${thrown.problem}`
    throw thrown
  }
}
