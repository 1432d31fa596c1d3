/**
 * The rules and approvals that the contract of stores writes.
 */
import type { ApprovalRecord } from "../policy/Approval.ts"
import type { PolicyRecord } from "../policy/Policy.ts"

/** A rule at version 1; `subject: ""` makes it the organisation's. */
export const policy = (
  tenant: string,
  subject: string,
  id: string,
  changes: Partial<PolicyRecord> = {},
): PolicyRecord => ({
  id,
  tenant,
  subject,
  owner: subject === "" ? "org" : "user",
  pattern: "tools.github.*",
  action: "require_approval",
  order: 1,
  description: null,
  createdAt: 0,
  version: 1,
  ...changes,
})

/** A pending approval at version 1. */
export const approval = (
  tenant: string,
  subject: string,
  id: string,
  changes: Partial<ApprovalRecord> = {},
): ApprovalRecord => ({
  tenant,
  id,
  subject,
  status: "pending",
  what: "Allow it?",
  tool: "tools.github.org.main.repos/delete",
  integration: "github",
  owner: "org",
  connection: "tools.github.org.main",
  account: null,
  arguments: [],
  agent: null,
  conversation: null,
  remember: null,
  createdAt: 0,
  expiresAt: 1000,
  answeredAt: null,
  answeredBy: null,
  key: "key",
  conversationKey: null,
  signature: "signature",
  version: 1,
  ...changes,
})
