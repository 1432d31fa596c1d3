/**
 * What a plugin is given of a connection that outlasts one call; the interface is in integration/Plugin.ts.
 */
import * as Effect from "effect/Effect"
import { connectionAddress, type ConnectionKey } from "../../connection/ConnectionRef.ts"
import type { ConnectionHandle, Fetch } from "../../integration/Plugin.ts"
import type { Resources } from "../Resources.ts"
import { runPromise } from "../runPromise.ts"
import { asOwner, selectConnection, type SelectedConnection, usableTemplate } from "../select/ConnectionSelector.ts"
import { pluginFetch } from "./boundFetch.ts"

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
    const { identity, row } = this.#selected
    return JSON.stringify([
      identity.tenant,
      identity.subject,
      identity.agent ?? null,
      connectionAddress(row),
      row.subject,
    ])
  }

  get connection(): string {
    return connectionText(asOwner(this.#selected).row)
  }

  get executor(): object {
    return this.#resources.token
  }

  get generation(): string {
    return generationOf(this.#selected)
  }

  get fetch(): Fetch {
    return pluginFetch(this.#resources, this.#selected.identity, this.#selected.row)
  }

  get isCurrent(): () => Promise<boolean> {
    const { identity, row } = this.#selected
    const generation = generationOf(this.#selected)
    const found = Effect.flatMap(selectConnection(this.#resources, identity, row), (selected) =>
      Effect.as(usableTemplate(selected), generationOf(selected) === generation),
    )
    return () =>
      runPromise(
        Effect.catch(found, (error) =>
          error._tag === "StoreUnavailableError" ? Effect.fail(error) : Effect.succeed(false),
        ),
      )
  }
}

/** Names a connection to plugins. */
export const connectionText = ({ tenant, subject, ...ref }: ConnectionKey): string =>
  JSON.stringify([tenant, subject, connectionAddress(ref)])

/** Names the credential of a connection and the revision of its integration, by neither's content. */
export const generationOf = ({ row, integration }: SelectedConnection): string =>
  // A grant outlives the tokens that are minted for it, which change the row; a static credential is another with each write.
  JSON.stringify([integration.revision, row.incarnation, row.grant?.id ?? row.version])
