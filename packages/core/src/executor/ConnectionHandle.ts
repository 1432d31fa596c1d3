/**
 * What a plugin is given of a connection that outlasts one call; the interface is in integration/Plugin.ts.
 */
import { connectionAddress } from "../connection/ConnectionRef.ts"
import type { ConnectionHandle, Fetch } from "../integration/Plugin.ts"
import { pluginFetch } from "./connectionFetch.ts"
import type { SelectedConnection } from "./ConnectionSelector.ts"
import type { Resources } from "./Resources.ts"

/** Made for each call, so what it offers is made when somebody asks for it. */
export class SelectedHandle implements ConnectionHandle {
  readonly toolsChanged: () => void
  readonly #resources: Resources
  readonly #selected: SelectedConnection

  constructor(resources: Resources, selected: SelectedConnection, toolsChanged: () => void) {
    this.toolsChanged = toolsChanged
    this.#resources = resources
    this.#selected = selected
  }

  get key(): string {
    return handleKey(this.#selected)
  }

  get fetch(): Fetch {
    return pluginFetch(this.#resources, this.#selected.identity, this.#selected.row)
  }
}

/** Names who uses which credential of which revision of an integration. */
export const handleKey = ({ identity, row, integration }: SelectedConnection): string =>
  JSON.stringify([
    identity.tenant,
    identity.subject,
    identity.agent ?? null,
    connectionAddress(row),
    integration.revision,
    // A grant outlives the tokens that are minted for it, which change the row; a static credential is another with each write.
    row.grant?.id ?? row.version,
  ])
