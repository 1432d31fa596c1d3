/** What can be wrong with an integration, one class per thing to do differently. */
import * as Schema from "effect/Schema"
import { quote, taggedError } from "../error/KeywardError.ts"

/** No integration of that slug is registered for this tenant. */
export class IntegrationNotFoundError extends taggedError<IntegrationNotFoundError>()(
  "IntegrationNotFoundError",
  { integration: Schema.String },
  404,
) {
  override get message(): string {
    return `There is no integration ${quote(this.integration)}. Register it first, for instance with executor.openapi.addSpec.`
  }
}

/** An integration as it was asked for cannot exist; `field` names the part at fault. Nothing was stored. */
export class InvalidIntegrationInputError extends taggedError<InvalidIntegrationInputError>()(
  "InvalidIntegrationInputError",
  { field: Schema.String, fault: Schema.String },
  400,
) {
  override get message(): string {
    return `Integration ${this.field}: ${this.fault}`
  }
}

/** An integration cannot be removed while connections of the tenant use it. */
export class IntegrationInUseError extends taggedError<IntegrationInUseError>()(
  "IntegrationInUseError",
  { integration: Schema.String },
  409,
) {
  override get message(): string {
    return `Integration ${quote(this.integration)} still has connections. Remove them first, those of every user of the tenant.`
  }
}

/** The integration belongs to a plugin that this executor does not have. */
export class PluginNotRegisteredError extends taggedError<PluginNotRegisteredError>()(
  "PluginNotRegisteredError",
  { integration: Schema.String, plugin: Schema.String },
  409,
) {
  override get message(): string {
    return `Integration ${quote(this.integration)} belongs to the plugin ${quote(this.plugin)}, which is not registered. Pass it to createExecutor({ plugins }).`
  }
}

/** The plugin could not list the tools of a connection or integration. What was there before is unchanged. */
export class ToolResolutionError extends taggedError<ToolResolutionError>()(
  "ToolResolutionError",
  { integration: Schema.String, plugin: Schema.String, reason: Schema.String },
  502,
) {
  override get message(): string {
    return `The plugin ${quote(this.plugin)} could not list the tools of ${quote(this.integration)}: ${this.reason}`
  }
}
