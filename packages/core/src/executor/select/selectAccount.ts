/**
 * Which connection a call runs as when it does not say so by a full address: the integration's identity mode says whose, and among those
 * an explicit account, else the default, else the only one. Never the newest, and never a guess.
 *
 * Called by callTool.ts, `tools.schema` and `connections.select`. Sees what the caller sees, no more (access.ts).
 */
import * as Effect from "effect/Effect"
import {
  type AccountCandidate,
  AccountNotFoundError,
  AmbiguousAccountError,
  type ConnectionRequiredError,
  IdentityConflictError,
  IdentityModeError,
  mostCandidates,
  SubjectRequiredError,
} from "../../connection/AccountError.ts"
import { connectionAddress, connectionIdentifier, type ConnectionRef } from "../../connection/ConnectionRef.ts"
import type { StoreUnavailableError } from "../../error/StoreError.ts"
import { type Identity, type Owner, subjectOf } from "../../identity/Identity.ts"
import { ownerOfCall, pinnedOwner } from "../../identity/IdentityMode.ts"
import { compiledIntegration, identityModeOf, type IntegrationRecord } from "../../integration/Integration.ts"
import { IntegrationNotFoundError } from "../../integration/IntegrationError.ts"
import { parseConnectionAddress } from "../../tool/ToolAddress.ts"
import { hasIntegration, type VisibleConnection, visibleConnection } from "../agents/access.ts"
import { andThen } from "../andThen.ts"
import type { ChosenBy } from "../call/CallTrace.ts"
import type { Resources } from "../Resources.ts"
import { accountRef, type AccountSearch, accountsNamed, ownAccounts, visibleAccounts } from "./AccountSearch.ts"
import { connectionRequired } from "./connectionRequired.ts"
import type { SelectedConnection } from "./ConnectionSelector.ts"

/** What a call says about the account that it wants. */
export interface AccountRequest {
  /** Whose connection, where the integration's mode leaves the choice. */
  readonly identity?: Owner | undefined
  /** A connection's name in any spelling, its address, or its label, which may stand behind the integration: `ozon:Top Zip`. */
  readonly account?: string | undefined
}

/** A connection and why it was chosen. */
export interface SelectedAccount {
  readonly selected: SelectedConnection
  readonly chosenBy: ChosenBy
}

/** What selecting an account can fail with. */
export type SelectAccountError =
  | IntegrationNotFoundError
  | IdentityModeError
  | IdentityConflictError
  | SubjectRequiredError
  | AmbiguousAccountError
  | AccountNotFoundError
  | ConnectionRequiredError
  | StoreUnavailableError

/** The integration of a slug; one that an agent was not allowed is not there. */
export const integrationOfCall = (
  resources: Resources,
  identity: Identity,
  slug: string,
): Effect.Effect<IntegrationRecord, IntegrationNotFoundError | StoreUnavailableError> => {
  // Models make up what is no text.
  const given: unknown = slug
  if (typeof given !== "string") return Effect.fail(new IntegrationNotFoundError({ integration: typeof given }))
  return andThen(resources.store.integrations.get(identity.tenant, slug, "recent"), (integration) =>
    andThen(hasIntegration(resources, identity, slug), (isThere) =>
      integration === undefined || !isThere
        ? Effect.fail(new IntegrationNotFoundError({ integration: slug }))
        : Effect.succeed(integration),
    ),
  )
}

/** Selects the connection that a call of an integration runs as; see the file's header. Quietly: begins no flow for one that is missing. */
export const selectAccount = (
  resources: Resources,
  identity: Identity,
  integration: IntegrationRecord,
  request: AccountRequest,
  way: "quietly" | "offering" = "offering",
): Effect.Effect<SelectedAccount, SelectAccountError> => {
  const address = request.account === undefined ? undefined : parseConnectionAddress(request.account)
  if (address !== undefined && request.identity !== undefined && address.owner !== request.identity) {
    const { slug } = integration
    return Effect.fail(
      new IdentityConflictError({ integration: slug, asked: request.identity, contradicts: "account" }),
    )
  }
  return andThen(ownerFor(integration, identity, address?.owner ?? request.identity), (owner) => {
    const search: Search = { resources, identity, integration, owner, request, way }
    return request.account === undefined ? implicit(search) : explicit(search, request.account, address)
  })
}

/** Whose connection a call runs as; fails where the mode does not allow what it asks for, or nobody acts. */
const ownerFor = (
  integration: IntegrationRecord,
  identity: Identity,
  asked: Owner | undefined,
): Effect.Effect<Owner, IdentityModeError | SubjectRequiredError> => {
  const { slug } = integration
  const mode = identityModeOf(integration)
  const owner = ownerOfCall(mode, identity.subject, asked)
  if (owner === "pinned") {
    const wanted = asked ?? "user"
    const allowed = wanted === "org" ? "user" : "org"
    return Effect.fail(new IdentityModeError({ integration: slug, mode, asked: wanted, allowed }))
  }
  return owner === "subject_missing"
    ? Effect.fail(new SubjectRequiredError({ integration: slug, mode }))
    : Effect.succeed(owner)
}

/** Fails where the mode of an integration lets nothing run as an owner's connections, however they are named. */
export const checkMode = (integration: IntegrationRecord, asked: Owner): Effect.Effect<void, IdentityModeError> => {
  const { slug } = integration
  const mode = identityModeOf(integration)
  const allowed = pinnedOwner(mode)
  return allowed === undefined || allowed === asked
    ? Effect.void
    : Effect.fail(new IdentityModeError({ integration: slug, mode, asked, allowed }))
}

interface Search extends AccountSearch {
  readonly request: AccountRequest
  readonly way: "quietly" | "offering"
}

/** The default, else the only one. */
const implicit = (search: Search): Effect.Effect<SelectedAccount, SelectAccountError> => {
  const { resources, identity, integration, owner } = search
  const { tenant } = identity
  const key = { tenant, subject: subjectOf(identity, owner), integration: integration.slug, owner }
  return andThen(resources.store.accounts.get(key, "recent"), (marked) =>
    marked === undefined
      ? theOnly(search)
      : andThen(visibleConnection(resources, identity, accountRef(search, marked.name)), (found) =>
          found !== undefined && found.row.incarnation === marked.incarnation
            ? chosen(search, found, "default")
            : theOnly(search),
        ),
  )
}

const theOnly = (search: Search): Effect.Effect<SelectedAccount, SelectAccountError> =>
  andThen(ownAccounts(search, 2), (found) => {
    const [only, second] = found
    if (only === undefined) {
      return Effect.flatMap(
        visibleAccounts(search, undefined, mostCandidates + 1),
        (shared): Effect.Effect<never, SelectAccountError> =>
          // Whatever others share, a user is asked to connect their own; an agent has nothing to connect.
          shared.length > 0 && search.identity.agent !== undefined
            ? ambiguous(search, shared)
            : Effect.flatMap(needOf(search, undefined, shared), Effect.fail),
      )
    }
    if (second === undefined) return chosen(search, only, "only")
    return Effect.flatMap(ownAccounts(search, mostCandidates + 1), (all) => ambiguous(search, all))
  })

/** By name, else by label. */
const explicit = (
  search: Search,
  account: string,
  address: ConnectionRef | undefined,
): Effect.Effect<SelectedAccount, SelectAccountError> => {
  const { resources, identity, integration } = search
  if (address !== undefined) {
    if (address.integration !== integration.slug) return notFound(search, account)
    const name = connectionIdentifier(address.name) ?? address.name
    return andThen(visibleConnection(resources, identity, accountRef(search, name)), (found) =>
      found === undefined ? notFound(search, account) : chosen(search, found, "account"),
    )
  }
  return andThen(accountsNamed(search, account), (found): Effect.Effect<SelectedAccount, SelectAccountError> => {
    if (found.length > 1) return ambiguous(search, found)
    const [only] = found
    return only === undefined ? notFound(search, account) : chosen(search, only, "account")
  })
}

const chosen = (
  { integration }: Search,
  connection: VisibleConnection,
  chosenBy: ChosenBy,
): Effect.Effect<SelectedAccount> =>
  Effect.succeed({
    selected: { ...connection, integration, compiled: compiledIntegration(integration) },
    chosenBy,
  })

const ambiguous = (
  { integration, owner, request }: Search,
  found: ReadonlyArray<VisibleConnection>,
): Effect.Effect<never, AmbiguousAccountError> =>
  Effect.fail(
    new AmbiguousAccountError({
      integration: integration.slug,
      owner,
      account: request.account ?? null,
      candidates: found.slice(0, mostCandidates).map(candidateOf),
      hasMore: found.length > mostCandidates,
    }),
  )

/**
 * Says what there is instead. Where the mode leaves the choice, an account of the organisation that goes by this name is told of, and
 * not taken: whoever named one of their own must not end up with the organisation's.
 */
const notFound = (
  search: Search,
  account: string,
): Effect.Effect<never, AccountNotFoundError | ConnectionRequiredError | StoreUnavailableError> =>
  Effect.gen(function* () {
    const { integration, owner, request } = search
    const own = yield* visibleAccounts(search, undefined, mostCandidates + 1)
    const isFree = identityModeOf(integration) === "either" && request.identity === undefined && owner === "user"
    const isAddress = parseConnectionAddress(account) !== undefined
    const others = isFree && !isAddress ? yield* accountsNamed({ ...search, owner: "org" }, account) : []
    const found = [...others, ...own]
    if (found.length === 0) return yield* Effect.flatMap(needOf(search, account), Effect.fail)
    return yield* Effect.fail(
      new AccountNotFoundError({
        integration: integration.slug,
        owner,
        account,
        candidates: found.slice(0, mostCandidates).map(candidateOf),
        hasMore: found.length > mostCandidates,
      }),
    )
  })

const needOf = (
  { resources, identity, integration, owner, way }: Search,
  account?: string,
  shared: ReadonlyArray<VisibleConnection> = [],
): Effect.Effect<ConnectionRequiredError> => {
  const spelled =
    account === undefined ? undefined : (parseConnectionAddress(account)?.name ?? account.split(":").at(-1))
  const name = (spelled === undefined ? undefined : connectionIdentifier(spelled)) ?? "main"
  const ref = { owner, integration: integration.slug, name }
  return connectionRequired(
    resources,
    identity,
    integration,
    ref,
    way,
    shared.slice(0, mostCandidates).map(candidateOf),
  )
}

const candidateOf = ({ row, lender }: VisibleConnection): AccountCandidate => ({
  address: connectionAddress(row),
  identityLabel: row.identityLabel,
  owner: row.owner,
  ...(lender === undefined ? {} : { sharedBy: lender.row.subject }),
})
