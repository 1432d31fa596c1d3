/**
 * What a host must handle when it asks for a tool.
 */
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"

/** No tool has that address. `suggestions` holds up to five addresses that are near. */
export class ToolNotFoundError extends taggedError<ToolNotFoundError>()(
  "ToolNotFoundError",
  { address: Schema.String, suggestions: Schema.Array(Schema.String) },
  404,
) {
  override get message(): string {
    const hint =
      this.suggestions.length > 0
        ? `Did you mean ${this.suggestions.map((one) => quote(one, 200)).join(", ")}?`
        : "tools.list shows what there is; an address reads tools.<integration>.<owner>.<connection>.<tool>."
    return `There is no tool ${quote(this.address, 200)}. ${hint}`
  }
}

/** The call is not permitted and will not be without somebody changing the rules; `rule` is the id of the one that says so. */
export class ToolBlockedError extends taggedError<ToolBlockedError>()(
  "ToolBlockedError",
  { address: Schema.String, rule: Schema.NullOr(Schema.String), reason: Schema.String },
  403,
) {
  override get message(): string {
    return `The tool ${quote(this.address, 200)} is blocked: ${this.reason}`
  }
}

/** A plugin listed tools that cannot be a catalog: names missing, too long or used twice. */
export class InvalidToolError extends taggedError<InvalidToolError>()(
  "InvalidToolError",
  { integration: Schema.String, tool: Schema.String, fault: Schema.String },
  500,
) {
  override get message(): string {
    return `Integration ${quote(this.integration)} lists the tool ${quote(this.tool)}: ${this.fault}`
  }
}
