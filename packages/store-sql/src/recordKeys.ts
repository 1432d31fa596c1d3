/** How the records that calls read are called in `RowCache`, and where they are in their tables: the same texts. */
import type { CatalogKey, ConnectionKey } from "@keyward/core/effect"
import { keyText, partitionText } from "./keyText.ts"

/** Where a connection is, and what is kept of it in other tables. */
export const connectionColumns = ({ tenant, subject, integration, name }: ConnectionPlace) => ({
  tenant: partitionText(tenant),
  subject: partitionText(subject),
  integration: keyText(integration),
  name: keyText(name),
})

type ConnectionPlace = Pick<ConnectionKey, "tenant" | "subject" | "integration" | "name">

/** Tenant, subject, integration, name. */
export const connectionRecord = (key: ConnectionPlace) => {
  const { tenant, subject, integration, name } = connectionColumns(key)
  return ["connections", tenant, subject, integration, name] as const
}
export type ConnectionRecordKey = ReturnType<typeof connectionRecord>

/** Tenant, subject, integration: the organisation's subject is empty, so the owner needs no column. */
export const accountRecord = (key: Pick<ConnectionKey, "tenant" | "subject" | "integration">) =>
  ["accounts", partitionText(key.tenant), partitionText(key.subject), keyText(key.integration)] as const

/** Tenant, slug. */
export const integrationRecord = (tenant: string, slug: string) =>
  ["integrations", partitionText(tenant), keyText(slug)] as const
export type IntegrationRecordKey = ReturnType<typeof integrationRecord>

/** Tenant, integration, subject, name. No connection has an empty name, so that one is free for what all connections share. */
export const catalogRecord = ({ tenant, integration, connection }: Omit<CatalogKey, "revision">) =>
  [
    "catalogs",
    partitionText(tenant),
    keyText(integration),
    partitionText(connection?.subject ?? ""),
    keyText(connection?.name ?? ""),
  ] as const
export type CatalogRecordKey = ReturnType<typeof catalogRecord>
