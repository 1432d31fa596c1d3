/**
 * The headers of a GraphQL request. Spec: [GraphQL over HTTP](https://graphql.github.io/graphql-over-http/draft/#sec-Request).
 */

/** JSON both ways; the media type that tells errors of GraphQL from errors on the way is asked for first. */
export const requestHeaders: Readonly<Record<string, string>> = {
  accept: "application/graphql-response+json, application/json;q=0.9",
  "content-type": "application/json",
}
