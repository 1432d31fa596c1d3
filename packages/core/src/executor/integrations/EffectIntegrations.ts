/** `executor.integrations` on the Effect surface: the verbs of this folder, bound to the identity that they act for. */
import * as Effect from "effect/Effect"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { IdentityMode } from "../../identity/IdentityMode.ts"
import { type Integration, toIntegration } from "../../integration/Integration.ts"
import type {
  IntegrationInUseError,
  IntegrationNotFoundError,
  InvalidIntegrationInputError,
} from "../../integration/IntegrationError.ts"
import { audited } from "../audit/AuditLog.ts"
import type { Resources } from "../Resources.ts"
import {
  getIntegration,
  listIntegrations,
  type ListIntegrationsInput,
  removeIntegration,
  setIdentityMode,
  type SetIdentityModeError,
} from "./Integrations.ts"

/** `executor.integrations` on the Effect surface. */
export interface EffectIntegrations {
  list(
    input?: ListIntegrationsInput,
  ): Effect.Effect<ReadonlyArray<Integration>, InvalidIntegrationInputError | StoreUnavailableError>
  get(slug: string): Effect.Effect<Integration | null, StoreUnavailableError>
  remove(slug: string): Effect.Effect<void, IntegrationNotFoundError | IntegrationInUseError | StoreUnavailableError>
  setIdentityMode(slug: string, mode: IdentityMode): Effect.Effect<Integration, SetIdentityModeError>
}

/** Binds `executor.integrations` to an identity. */
export const integrationsOf = (resources: Resources, identity: Identity): EffectIntegrations => ({
  list: (input = {}) => listIntegrations(resources, identity, input),
  get: (slug) => Effect.map(getIntegration(resources, identity, slug), (record) => record && toIntegration(record)),
  remove: (slug) => audited(resources, removeIntegration(resources, identity, slug)),
  setIdentityMode: (slug, mode) => audited(resources, setIdentityMode(resources, identity, slug, mode)),
})
