/** Templates in the form that is applied: what is filled, and where. */
import { describe, expect, it } from "vitest"
import { compileTemplate, noneTemplate, variable } from "../../src/auth/AuthTemplate.ts"

describe("compileTemplate", () => {
  it("names each variable once, in the order of appearance", () => {
    const { variables } = compileTemplate({
      slug: "b",
      type: "basic",
      headers: { "X-Tenant": [variable("tenant"), "/", variable("username")] },
    })
    expect(variables).toEqual(["username", "password", "tenant"])
  })

  it("places nothing for the template none", () => {
    expect(compileTemplate(noneTemplate)).toEqual({
      slug: "none",
      family: "none",
      variables: [],
      placements: [],
      environment: [],
    })
  })

  it("keeps what goes into an environment apart from what goes on requests", () => {
    const template = compileTemplate({ slug: "k", type: "apiKey", env: { TOKEN: ["tk-", variable("token")] } })
    expect(template).toMatchObject({
      variables: ["token"],
      placements: [],
      environment: [{ name: "TOKEN", parts: ["tk-", { variable: "token" }] }],
    })
  })
})
