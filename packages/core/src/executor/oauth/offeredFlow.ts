/**
 * Flows that nobody asked for yet: begun so that a failed call can say where to go.
 *
 * One flow serves many calls until it is finished or about to expire. An offer is never worth a failure: whatever goes wrong, there is
 * none.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Identity } from "../../identity/Identity.ts"
import type { Resources } from "../Resources.ts"
import { protocolOf } from "./protocol.ts"
import { startFlow } from "./startFlow.ts"
import type { StartOAuthInput, WiderScope } from "./StartingFlow.ts"

interface Offer {
  readonly url: string
  readonly stateHash: string
  readonly until: number
}

/** An offer is not made again when less than this is left of its ten minutes, in milliseconds. */
const shortestMs = 2 * 60_000
const lifetimeMs = 10 * 60_000

/** Finding metadata and pushing a request must not hold a failed call up for long, in milliseconds. */
const patienceMs = 10_000
const mostOffers = 1000

/** Where a person goes for a flow; `key` says which offers are the same, and names whoever may finish it. */
export const offeredFlowUrl = (
  resources: Resources,
  identity: Identity,
  input: StartOAuthInput,
  wider: WiderScope,
  key: string,
): Effect.Effect<string | undefined> => {
  const offered = Effect.flatMap(standingOffer(resources, identity, key), (standing) =>
    standing === undefined ? newOffer(resources, identity, input, wider, key) : Effect.succeed(standing),
  )
  return Effect.timeoutOrElse(
    Effect.catch(offered, () => Effect.undefined),
    { duration: patienceMs, orElse: () => Effect.undefined },
  )
}

const standingOffer = (resources: Resources, { tenant }: Identity, key: string) =>
  Effect.gen(function* () {
    const offer = offersOf(resources).get(key)
    if (offer === undefined || (yield* Clock.currentTimeMillis) > offer.until) return undefined
    const session = yield* resources.store.oauth.sessions.get(tenant, offer.stateHash)
    return session === undefined ? undefined : offer.url
  })

const newOffer = (resources: Resources, identity: Identity, input: StartOAuthInput, wider: WiderScope, key: string) =>
  Effect.gen(function* () {
    const started = yield* startFlow(resources, identity, input, wider)
    if (started.status !== "redirect") return undefined
    const protocol = yield* protocolOf(resources)
    const offers = offersOf(resources)
    offers.set(key, {
      url: started.authorizationUrl,
      stateHash: protocol.hashState(started.state),
      until: (yield* Clock.currentTimeMillis) + lifetimeMs - shortestMs,
    })
    if (offers.size > mostOffers) {
      const [oldest] = offers.keys()
      if (oldest !== undefined) offers.delete(oldest)
    }
    return started.authorizationUrl
  })

const offersOf = (resources: Resources): Map<string, Offer> => {
  const known = offers.get(resources)
  if (known !== undefined) return known
  const made = new Map<string, Offer>()
  offers.set(resources, made)
  return made
}

const offers = new WeakMap<Resources, Map<string, Offer>>()
