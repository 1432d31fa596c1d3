/** `executor.policies` on the Effect surface: the verbs of this folder, bound to the identity that they act for. */
import type * as Effect from "effect/Effect"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import type { Identity } from "../../identity/Identity.ts"
import type { Policy } from "../../policy/Policy.ts"
import type { InvalidPolicyInputError, PolicyConflictError, PolicyNotFoundError } from "../../policy/PolicyError.ts"
import { audited } from "../audit/AuditLog.ts"
import type { Resources } from "../Resources.ts"
import {
  createPolicy,
  type CreatePolicyInput,
  listPolicies,
  type ListPoliciesInput,
  type PolicyResolution,
  type PolicyWriteError,
  removePolicy,
  resolvePolicy,
  type ResolvePolicyError,
  type ResolvePolicyOptions,
  updatePolicy,
  type UpdatePolicyInput,
} from "./Policies.ts"

/** `executor.policies` on the Effect surface; the Promise surface documents each method. */
export interface EffectPolicies {
  create(input: CreatePolicyInput): Effect.Effect<Policy, PolicyWriteError>
  list(input?: ListPoliciesInput): Effect.Effect<ReadonlyArray<Policy>, InvalidPolicyInputError | StoreUnavailableError>
  update(
    id: string,
    input: UpdatePolicyInput,
  ): Effect.Effect<Policy, PolicyWriteError | PolicyNotFoundError | PolicyConflictError>
  remove(id: string): Effect.Effect<void, PolicyNotFoundError | StoreUnavailableError>
  resolve(
    address: string,
    args?: unknown,
    options?: ResolvePolicyOptions,
  ): Effect.Effect<PolicyResolution, ResolvePolicyError>
}

/** Binds `executor.policies` to an identity. */
export const policiesOf = (resources: Resources, identity: Identity): EffectPolicies => ({
  create: (input) => audited(resources, createPolicy(resources, identity, input ?? {})),
  list: (input = {}) => listPolicies(resources, identity, input),
  update: (id, input) => audited(resources, updatePolicy(resources, identity, id, input ?? {})),
  remove: (id) => audited(resources, removePolicy(resources, identity, id)),
  resolve: (address, args, options = {}) => resolvePolicy(resources, identity, address, args, options),
})
