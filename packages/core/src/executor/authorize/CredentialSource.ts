/**
 * Where the credential of an authorized fetch comes from, and what binds it to a key.
 *
 * The one place that tells a static credential from tokens that an OAuth flow obtained; whoever sends does not see the difference.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { CredentialValues } from "../../auth/applyAuth.ts"
import type { CompiledTemplate } from "../../auth/AuthTemplate.ts"
import type { ConnectionRow } from "../../connection/Connection.ts"
import type { ConnectionCredentialError } from "../../connection/ConnectionError.ts"
import { connectionAddress } from "../../connection/ConnectionRef.ts"
import { toRecipient } from "../agents/access.ts"
import { dpopProofs } from "../oauth/dpopProofs.ts"
import { type GrantedConnection, isGranted } from "../oauth/GrantedConnection.ts"
import type { ProofOfPossession } from "../oauth/ProofOfPossession.ts"
import { tokenKeeper } from "../oauth/TokenKeeper.ts"
import type { Resources } from "../Resources.ts"
import { asOwner, type SelectedConnection, usableTemplate } from "../select/ConnectionSelector.ts"
import { resolveAnew, resolveCredential } from "./CredentialResolver.ts"

/** How the credential of an authorized fetch is obtained. */
export interface CredentialSource {
  /** The connection's address, for errors. */
  readonly connection: string
  /** Where it may be sent and how it is placed. Fails where the connection may not be used. */
  readonly template: Effect.Effect<CompiledTemplate, ConnectionCredentialError>
  readonly resolve: (template: CompiledTemplate) => Effect.Effect<CredentialValues, ConnectionCredentialError>
  /** Obtains another one after a 401; `undefined` when that could not help. */
  readonly resolveAnew: (
    template: CompiledTemplate,
    rejected: CredentialValues,
  ) => Effect.Effect<CredentialValues | undefined, ConnectionCredentialError>
  /** Absent: the credential is sent as it is. */
  readonly proof?: ProofOfPossession | undefined
}

/** The credential of a stored connection; of a shared one, its owner's. */
export const storedCredential = (resources: Resources, selected: SelectedConnection): CredentialSource =>
  selected.lender === undefined
    ? ownCredential(resources, selected)
    : forRecipient(ownCredential(resources, asOwner(selected)), selected.row)

const ownCredential = (resources: Resources, selected: SelectedConnection): CredentialSource =>
  isGranted(selected)
    ? grantedCredential(resources, selected)
    : {
        connection: connectionAddress(selected.row),
        template: usableTemplate(selected),
        resolve: (template) => resolveCredential(resources, selected.row, template),
        resolveAnew: (template) => resolveAnew(resources, selected.row, template),
      }

/** A credential source whose values are read at most once, however many requests a call makes; a failure is not kept. */
export const readOnce = (source: CredentialSource): CredentialSource => {
  let reading: Effect.Effect<CredentialValues, ConnectionCredentialError> | undefined
  return {
    connection: source.connection,
    template: source.template,
    resolve: (template) => {
      if (reading !== undefined) return reading
      const read = source.resolve(template)
      if (Exit.isExit(read)) return Exit.isSuccess(read) ? (reading = read) : read
      const forgetful = Effect.onError(read, () =>
        Effect.sync(() => {
          reading = undefined
        }),
      )
      return Effect.flatMap(Effect.cached(forgetful), (cached) => (reading ??= cached))
    },
    resolveAnew: (template, rejected) =>
      Effect.map(source.resolveAnew(template, rejected), (values) => {
        if (values !== undefined) reading = Effect.succeed(values)
        return values
      }),
    proof: source.proof,
  }
}

/** A credential that is lent: whatever is said of it speaks of the recipient's name for it. */
const forRecipient = (source: CredentialSource, row: ConnectionRow): CredentialSource => {
  const told = <A>(effect: Effect.Effect<A, ConnectionCredentialError>): Effect.Effect<A, ConnectionCredentialError> =>
    Exit.isExit(effect) && Exit.isSuccess(effect) ? effect : Effect.mapError(effect, (error) => toRecipient(error, row))
  return {
    connection: connectionAddress(row),
    template: told(source.template),
    resolve: (template) => told(source.resolve(template)),
    resolveAnew: (template, rejected) => told(source.resolveAnew(template, rejected)),
    proof: source.proof,
  }
}

const grantedCredential = (resources: Resources, selected: GrantedConnection): CredentialSource => {
  const keeper = tokenKeeper(resources)
  return {
    connection: connectionAddress(selected.row),
    template: usableTemplate(selected),
    resolve: (template) => keeper.current(selected, template),
    resolveAnew: (_, rejected) => keeper.anew(selected, rejected),
    proof: selected.row.grant.tokenType === "DPoP" ? dpopProofs(resources, selected.row) : undefined,
  }
}
