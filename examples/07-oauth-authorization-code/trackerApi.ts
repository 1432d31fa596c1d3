/** The service that the account is at: an issue tracker that asks the authorization server about each token it is shown. */
import { fakeUpstream, type FakeUpstream, type UpstreamRequest } from "@keyward/core/testing"

/** Its document, as an API publishes one. */
export const trackerDocument = {
  openapi: "3.1.0",
  info: { title: "Tracker", version: "1.0.0" },
  servers: [{ url: "/" }],
  paths: {
    "/issues": {
      get: {
        operationId: "listIssues",
        summary: "List the issues",
        responses: { 200: { description: "All of them" } },
      },
      post: {
        operationId: "createIssue",
        summary: "Create an issue",
        requestBody: {
          required: true,
          content: {
            "application/json": {
              schema: { type: "object", properties: { title: { type: "string" } }, required: ["title"] },
            },
          },
        },
        responses: { 201: { description: "The issue" } },
      },
    },
  },
} as const

/** The running API. */
export interface TrackerApi extends FakeUpstream {
  /** From now on a token is refused, whatever the authorization server says: its session was ended, say. */
  refuse(token: string): void
}

interface Introspection {
  readonly active: boolean
  readonly sub?: string
  readonly scope?: string
}

/** Starts the API. `introspectionUrl` and `credentials` are how it asks about tokens (RFC 7662). */
export const startTrackerApi = async (
  introspectionUrl: string,
  credentials: { readonly id: string; readonly secret: string },
): Promise<TrackerApi> => {
  const refused = new Set<string>()
  const issues = [{ title: "The lamp flickers", by: "grace" }]
  const introspect = async ({ headers }: UpstreamRequest): Promise<Introspection> => {
    const token = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1]
    if (token === undefined || refused.has(token)) return { active: false }
    const basic = Buffer.from(`${credentials.id}:${credentials.secret}`).toString("base64")
    const response = await fetch(introspectionUrl, {
      method: "POST",
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams({ token }),
    })
    return (await response.json()) as Introspection
  }
  const api = await fakeUpstream(async (request) => {
    const { active, sub = "", scope = "" } = await introspect(request)
    if (!active) return { status: 401, headers: { "www-authenticate": 'Bearer error="invalid_token"' } }
    const needed = request.method === "POST" ? "issues:write" : "issues:read"
    if (!scope.split(" ").includes(needed)) {
      const challenge = `Bearer error="insufficient_scope", scope="${needed}"`
      return { status: 403, headers: { "www-authenticate": challenge }, json: { error: "insufficient_scope" } }
    }
    if (request.method === "GET") return { json: issues }
    const { title } = request.json() as { readonly title: string }
    issues.push({ title, by: sub })
    return { status: 201, json: { title, by: sub } }
  })
  return { ...api, refuse: (token) => void refused.add(token) }
}
