/**
 * What a host or an agent can be told about agents, grants and shares, one class per thing to do differently.
 */
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"

/** The tenant has no agent of that id, or no longer has it. */
export class AgentNotFoundError extends taggedError<AgentNotFoundError>()(
  "AgentNotFoundError",
  { agent: Schema.String },
  404,
) {
  override get message(): string {
    return `There is no agent ${quote(this.agent)} in this tenant. agents.list shows which there are; agents.create makes one.`
  }
}

/** The key that an agent showed is not one of this tenant, was replaced, or was revoked. */
export class InvalidAgentKeyError extends taggedError<InvalidAgentKeyError>()("InvalidAgentKeyError", {}, 401) {
  override get message(): string {
    return "The agent's key is not valid here: it is unknown, was replaced or was revoked. Give the agent the key that agents.rotateKey answers."
  }
}

/** An agent was named by its id alone, where the host believes only what can be checked (`sealedIdentity.isRequired`). */
export class AgentKeyRequiredError extends taggedError<AgentKeyRequiredError>()(
  "AgentKeyRequiredError",
  { agent: Schema.String },
  401,
) {
  override get message(): string {
    return `The plain agent id ${quote(this.agent)} is not believed, because sealedIdentity.isRequired is set. Pass the agent's key, which agents.create and agents.rotateKey answer, or have the edge seal the agent's id and use withSealedIdentity.`
  }
}

/** An agent as it was asked for cannot exist; `field` names the part at fault. Nothing was stored. */
export class InvalidAgentError extends taggedError<InvalidAgentError>()(
  "InvalidAgentError",
  { field: Schema.String, fault: Schema.String },
  400,
) {
  override get message(): string {
    return `Agent ${this.field}: ${this.fault}`
  }
}

/** There is an agent of that id already, or somebody else changed it at the same time. */
export class AgentConflictError extends taggedError<AgentConflictError>()(
  "AgentConflictError",
  { agent: Schema.String, reason: Schema.Literals(["exists", "changed"]) },
  409,
) {
  override get message(): string {
    return this.reason === "exists"
      ? `There is an agent ${quote(this.agent)} already. Choose another id, or remove that one first.`
      : `The agent ${quote(this.agent)} was changed by somebody else at the same time. Repeat the call.`
  }
}

/** A grant or a share as it was asked for cannot exist; `field` names the part at fault. Nothing was stored. */
export class InvalidGrantError extends taggedError<InvalidGrantError>()(
  "InvalidGrantError",
  { field: Schema.String, fault: Schema.String },
  400,
) {
  override get message(): string {
    return `Grant ${this.field}: ${this.fault}`
  }
}

/** Somebody would hand on more than they have themselves. Nothing was stored. */
export class GrantTooWideError extends taggedError<GrantTooWideError>()(
  "GrantTooWideError",
  {
    /** Who has too little: `agent <id>` or `subject <id>`. */
    holder: Schema.String,
    /** What is to be handed on that they do not have, such as `write` or `issues.*`. */
    excess: Schema.String,
  },
  403,
) {
  override get message(): string {
    return `The ${quote(this.holder, 200)} does not have ${quote(this.excess, 200)} and cannot hand it on. Hand on less, or widen what it has first.`
  }
}

/** The caller may use the connection, but not for this. */
export class AccessDeniedError extends taggedError<AccessDeniedError>()(
  "AccessDeniedError",
  {
    /** The address of the tool or the connection. */
    address: Schema.String,
    /**
     * What is missing: `read` or `write`; `fetch` where only certain tools were granted and a request of one's own was made; `owner`
     * where only the connection's owner may do this.
     */
    missing: Schema.Literals(["read", "write", "fetch", "owner"]),
  },
  403,
) {
  override get message(): string {
    const address = quote(this.address, 200)
    switch (this.missing) {
      case "owner":
        return `${address} is shared with this caller. Only its owner can change it or hand it on.`
      case "fetch":
        return `${address} was granted for certain tools only, which does not cover requests of one's own. Call a tool of it instead.`
      default:
        return `${address} was not granted to this caller for ${this.missing === "read" ? "reading" : "writing"}. Ask whoever granted it for ${quote(this.missing)} access.`
    }
  }
}
