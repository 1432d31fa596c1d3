/**
 * The person, whom these authorization servers send back at once.
 */

/** Visits the page of an authorization server and gives the callback's URL. */
export const visit = async (authorizationUrl: string): Promise<string> => {
  const response = await fetch(authorizationUrl, { redirect: "manual" })
  const callbackUrl = response.headers.get("location")
  if (callbackUrl === null) throw new Error(`The authorization server answered with ${response.status}.`)
  return callbackUrl
}
