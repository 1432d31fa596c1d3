/**
 * Revocations that are owed to authorization servers (RFC 7009): written down when tokens are no longer wanted, paid later.
 *
 * Whoever removes a connection waits for the record and never for the server. The server is asked at once, then with growing gaps;
 * any process that has to do with the tenant's OAuth goes on with what another one left.
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { AuthTemplate } from "../../auth/AuthTemplate.ts"
import { partitionPrefix } from "../../identity/Identity.ts"
import type { OAuthClientKey } from "../../oauth/OAuthClient.ts"
import type { Resources } from "../Resources.ts"
import { payRevocation, secondItemId } from "./payRevocation.ts"
import { quirksOf, templateQuirks } from "./quirksOf.ts"

/** Tokens that nobody will use again, whose they are, and where they are revoked. */
export interface RevocationDebt {
  readonly client: OAuthClientKey
  /** What the tokens were obtained for; `undefined` where that is gone. */
  readonly template: AuthTemplate | undefined
  readonly issuer: string | null
  readonly revocationUrl: string | null
  readonly accessToken: Redacted.Redacted | undefined
  readonly refreshToken: Redacted.Redacted | undefined
}

/** How long the removal of a client waits for its last revocations, in milliseconds. */
const longestWaitMs = 5_000

/** How many are paid in one go. */
const pageSize = 20

/** Puts tokens down for revocation and begins with it. Never fails: nothing may hang on it. Nothing where the server cannot revoke. */
export const oweRevocation = (resources: Resources, debt: RevocationDebt): Effect.Effect<void> =>
  Effect.ignore(
    Effect.gen(function* () {
      const { client, template, issuer, revocationUrl, accessToken, refreshToken } = debt
      const token = refreshToken ?? accessToken
      if (revocationUrl === null || token === undefined) return
      const record = yield* resources.store.oauth.clients.get(client)
      if (record === undefined || quirksOf(template, record).revocation === "none") return
      const provider = yield* resources.providers.defaultWritable()
      const id = randomUUID()
      const tokenItem = `${partitionPrefix(client, client.owner)}oauth-revocation:${id}`
      // A server may revoke access tokens only (RFC 7009, section 2.2.1); then the other one is needed.
      if (refreshToken !== undefined && accessToken !== undefined) {
        yield* resources.providers.call(provider, () => provider.set(secondItemId(tokenItem), accessToken))
      }
      yield* resources.providers.call(provider, () => provider.set(tokenItem, token))
      const now = yield* Clock.currentTimeMillis
      yield* resources.store.oauth.revocations.put({
        tenant: client.tenant,
        id,
        client,
        issuer,
        revocationUrl,
        provider: provider.key,
        tokenItem,
        tokenTypeHint: refreshToken === undefined ? "access_token" : "refresh_token",
        quirks: templateQuirks(template),
        attempts: 0,
        nextAttemptAt: now,
        createdAt: now,
      })
      yield* startPaying(resources, client.tenant)
    }),
  )

/** Goes on in the background with what a tenant owes and is due, whichever process left it. */
export const startPaying = (resources: Resources, tenant: string): Effect.Effect<void> =>
  resources.inBackground(
    Effect.gen(function* () {
      for (;;) {
        const nextAt = yield* payDue(resources, tenant)
        const waiting = waitingOf(resources)
        if (nextAt === undefined || waiting.has(tenant)) return
        waiting.add(tenant)
        yield* Effect.ensuring(
          restUntil(nextAt),
          Effect.sync(() => waiting.delete(tenant)),
        )
      }
    }),
  )

/** Pays what a tenant owes now, for as long as that takes at most: what comes next would make it impossible. */
export const payBefore = (resources: Resources, tenant: string): Effect.Effect<void> =>
  Effect.timeoutOrElse(Effect.asVoid(payDue(resources, tenant)), {
    duration: longestWaitMs,
    orElse: () => Effect.void,
  })

/** Pays what is due; answers when the next attempt of one that failed is, epoch milliseconds. */
const payDue = (resources: Resources, tenant: string): Effect.Effect<number | undefined> =>
  resources
    .exclusively(
      JSON.stringify(["revocations", tenant]),
      Effect.gen(function* () {
        let nextAt: number | undefined
        for (;;) {
          const now = yield* Clock.currentTimeMillis
          const due = yield* resources.store.oauth.revocations.due({ tenant, now, limit: pageSize })
          for (const record of due) {
            const next = yield* payRevocation(resources, record)
            if (next !== undefined) nextAt = Math.min(nextAt ?? next, next)
          }
          if (due.length < pageSize) return nextAt
        }
      }),
    )
    .pipe(Effect.catch(() => Effect.succeed(undefined)))

/** A timer that keeps no process alive. */
const restUntil = (at: number): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.callback<void>((resume) => {
      const timer = setTimeout(() => resume(Effect.void), Math.max(0, at - now))
      timer.unref()
      return Effect.sync(() => clearTimeout(timer))
    }),
  )

/** The tenants for which somebody waits for the next attempt already. */
const waitingOf = (resources: Resources): Set<string> => {
  const known = waitingTenants.get(resources)
  if (known !== undefined) return known
  const made = new Set<string>()
  waitingTenants.set(resources, made)
  return made
}

const waitingTenants = new WeakMap<Resources, Set<string>>()
