/**
 * The namespace `executor.integrations`, and what plugins register through their context.
 *
 * Registering a slug again updates it in place: connections stay, the revision counts up if anything changed, and moving to an
 * origin that was not there before suspends the connections until they are confirmed.
 */
import * as Effect from "effect/Effect"
import type { InvalidAuthTemplateError } from "../../auth/AuthTemplate.ts"
import { joinOrigins } from "../../connection/Connection.ts"
import { quote } from "../../error/KeywardError.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import { defaultIdentityMode, type IdentityMode, isIdentityMode } from "../../identity/IdentityMode.ts"
import {
  identityModeOf,
  type Integration,
  type IntegrationInput,
  type IntegrationRecord,
  invalidMode,
  makeIntegrationRecord,
  toIntegration,
} from "../../integration/Integration.ts"
import {
  IntegrationInUseError,
  IntegrationNotFoundError,
  InvalidIntegrationInputError,
} from "../../integration/IntegrationError.ts"
import type { Plugin } from "../../integration/Plugin.ts"
import { commitChange } from "../audit/commitChange.ts"
import { checkedPage } from "../checkedPage.ts"
import type { Resources } from "../Resources.ts"

/** Which integrations to list. */
export interface ListIntegrationsInput {
  /** At most so many. Default: all. */
  readonly limit?: number | undefined
  /** The slug of the last integration of the page before. */
  readonly after?: string | undefined
}

/** What registering can fail with. What was registered before is unchanged then. */
export type RegisterIntegrationError = InvalidIntegrationInputError | InvalidAuthTemplateError | StoreUnavailableError

/** Registers an integration for a plugin, or updates it in place. */
export const registerIntegration = (
  resources: Resources,
  identity: Identity,
  plugin: Plugin,
  input: IntegrationInput,
): Effect.Effect<Integration, RegisterIntegrationError> =>
  Effect.flatMap(makeIntegrationRecord(identity.tenant, plugin, input), (record) =>
    resources.exclusively(
      JSON.stringify(["integration", identity.tenant, record.slug]),
      Effect.gen(function* () {
        const { integrations, catalogs } = resources.store
        const previous = yield* integrations.get(identity.tenant, record.slug)
        const identityMode =
          record.identityMode ?? (previous === undefined ? defaultIdentityMode : identityModeOf(previous))
        if (previous?.fingerprint === record.fingerprint && identityModeOf(previous) === identityMode) {
          return toIntegration(previous)
        }
        if (previous !== undefined && previous.plugin !== plugin.id) {
          return yield* invalid(
            "slug",
            `${quote(record.slug)} belongs to the plugin ${quote(previous.plugin)}; choose another.`,
          )
        }
        const next: IntegrationRecord = { ...record, identityMode, revision: (previous?.revision ?? 0) + 1 }
        const isWritten = yield* commitChange(resources, identity, integrations.put(next, previous?.revision ?? 0), {
          type: previous === undefined ? "integration.registered" : "integration.updated",
          integration: next.slug,
          revision: next.revision,
          originsChanged: previous !== undefined && gainsOrigin(previous, next),
          identityMode,
        })
        if (!isWritten) return yield* overtaken(record.slug)
        if (previous !== undefined) {
          yield* Effect.ignore(catalogs.remove({ tenant: identity.tenant, integration: record.slug, connection: null }))
        }
        return toIntegration(next)
      }),
    ),
  )

/** What changing the mode of an integration can fail with. */
export type SetIdentityModeError = IntegrationNotFoundError | InvalidIntegrationInputError | StoreUnavailableError

/** Changes whose account the calls of an integration run as, from the next call on; its tools stay as they are. */
export const setIdentityMode = (
  resources: Resources,
  identity: Identity,
  slug: string,
  mode: IdentityMode,
): Effect.Effect<Integration, SetIdentityModeError> =>
  isIdentityMode(mode)
    ? resources.exclusively(
        JSON.stringify(["integration", identity.tenant, slug]),
        Effect.gen(function* () {
          const { integrations } = resources.store
          const previous = yield* integrations.get(identity.tenant, slug)
          if (previous === undefined) return yield* Effect.fail(new IntegrationNotFoundError({ integration: slug }))
          if (identityModeOf(previous) === mode) return toIntegration(previous)
          const next: IntegrationRecord = { ...previous, identityMode: mode, revision: previous.revision + 1 }
          const isWritten = yield* commitChange(resources, identity, integrations.put(next, previous.revision), {
            type: "integration.updated",
            integration: slug,
            revision: next.revision,
            originsChanged: false,
            identityMode: mode,
          })
          if (!isWritten) return yield* overtaken(slug)
          yield* Effect.ignore(keepSharedCatalog(resources, previous, next))
          return toIntegration(next)
        }),
      )
    : invalidMode(mode)

/** What all connections share of the tools holds under the new revision too; connections' own are asked for again. */
const keepSharedCatalog = (
  { store: { catalogs } }: Resources,
  previous: IntegrationRecord,
  { tenant, slug: integration, revision }: IntegrationRecord,
): Effect.Effect<void, StoreUnavailableError> =>
  Effect.flatMap(catalogs.get({ tenant, integration, revision: previous.revision, connection: null }), (tools) =>
    tools === undefined ? Effect.void : catalogs.put({ tenant, integration, revision, connection: null }, tools),
  )

/** The record of an integration, or `null`. */
export const getIntegration = (
  resources: Resources,
  identity: Identity,
  slug: string,
): Effect.Effect<IntegrationRecord | null, StoreUnavailableError> =>
  Effect.map(resources.store.integrations.get(identity.tenant, slug), (record) => record ?? null)

/** Lists the tenant's integrations ordered by slug. */
export const listIntegrations = (
  resources: Resources,
  identity: Identity,
  input: ListIntegrationsInput,
): Effect.Effect<ReadonlyArray<Integration>, InvalidIntegrationInputError | StoreUnavailableError> =>
  Effect.flatMap(
    checkedPage(input, (field, fault) => new InvalidIntegrationInputError({ field, fault })),
    (page) =>
      Effect.map(resources.store.integrations.list({ tenant: identity.tenant, ...page }), (records) =>
        records.map(toIntegration),
      ),
  )

/** Removes an integration that no connection of the tenant uses. */
export const removeIntegration = (
  resources: Resources,
  identity: Identity,
  slug: string,
): Effect.Effect<void, IntegrationNotFoundError | IntegrationInUseError | StoreUnavailableError> =>
  resources.exclusively(
    JSON.stringify(["integration", identity.tenant, slug]),
    Effect.gen(function* () {
      const { integrations, connections, catalogs } = resources.store
      const record = yield* integrations.get(identity.tenant, slug)
      if (record === undefined) return yield* Effect.fail(new IntegrationNotFoundError({ integration: slug }))
      if (yield* connections.isUsed(identity.tenant, slug)) {
        return yield* Effect.fail(new IntegrationInUseError({ integration: slug }))
      }
      yield* commitChange(resources, identity, integrations.remove(identity.tenant, slug), {
        type: "integration.removed",
        integration: slug,
        revision: record.revision,
        originsChanged: false,
        identityMode: identityModeOf(record),
      })
      yield* Effect.ignore(catalogs.remove({ tenant: identity.tenant, integration: slug, connection: null }))
    }),
  )

const overtaken = (slug: string): Effect.Effect<never, InvalidIntegrationInputError> =>
  invalid("slug", `${quote(slug)} was changed by somebody else at the same time; repeat the call.`)

const gainsOrigin = (previous: IntegrationRecord, next: IntegrationRecord): boolean =>
  joinOrigins(previous.origins) !== joinOrigins(next.origins) &&
  next.origins.some((origin) => !previous.origins.includes(origin))

const invalid = (field: string, fault: string): Effect.Effect<never, InvalidIntegrationInputError> =>
  Effect.fail(new InvalidIntegrationInputError({ field, fault }))
