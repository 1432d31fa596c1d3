/** A store that notes what it is asked, for tests that search it for what must not be there. */
import type { Store } from "@keyward/core"

type Method = (...input: Array<unknown>) => unknown

/** The same store, each of whose methods goes through `noting`, by the name of its part. */
export const notedStore = (inner: Store, noting: (method: Method, part: keyof Store) => Method): Store => {
  const noted = <Part extends object>(name: keyof Store, part: Part): Part =>
    Object.fromEntries(
      Object.entries(part).map(([key, method]: [string, Method]) => [key, noting(method, name)]),
    ) as Part
  const { clients, sessions, revocations } = inner.oauth
  return {
    integrations: noted("integrations", inner.integrations),
    accounts: noted("accounts", inner.accounts),
    connections: noted("connections", inner.connections),
    catalogs: noted("catalogs", inner.catalogs),
    oauth: {
      clients: noted("oauth", clients),
      sessions: noted("oauth", sessions),
      revocations: noted("oauth", revocations),
    },
    access: noted("access", inner.access),
    policies: noted("policies", inner.policies),
    approvals: noted("approvals", inner.approvals),
    audit: noted("audit", inner.audit),
    lease: noted("lease", inner.lease),
  }
}
