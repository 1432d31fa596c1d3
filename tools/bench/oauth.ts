/** What OAuth costs a call: nothing much while the token is fresh, one request for everybody when it has run out. */
import { median, type Row, sample, throughput } from "./measure.ts"
import { oauthService } from "./oauthService.ts"

const suite = "oauth"
const callers = 500

/** Runs the suite. */
export const oauth = async (): Promise<ReadonlyArray<Row>> => {
  await using service = await oauthService()
  const { executor, ref, staticRef, sent, times, expire } = service
  const fetch = executor.connections.fetch(ref)
  const call = (): Promise<unknown> => fetch("/items?page=2")
  const rows: Array<Row> = []

  const storms: Array<number> = []
  for (let round = 0; round < 5; round += 1) {
    await expire()
    const before = { ...sent }
    const startedAt = performance.now()
    const answers = await Promise.all(Array.from({ length: callers }, () => fetch("/items?page=2")))
    storms.push(performance.now() - startedAt)
    const successes = answers.filter(({ status }) => status === 204).length
    const requests = sent.tokens - before.tokens
    if (requests !== 1 || successes !== callers) throw new Error(`${requests} token requests, ${successes} successes.`)
  }
  rows.push({
    suite,
    name: `${callers} concurrent calls on an expired token`,
    value: `1 token request, ${callers} successes, ${median(storms).toFixed(0)} ms for all`,
    target: `1 token request, ${callers} successes`,
    isMet: true,
  })

  const fixed = executor.connections.fetch(staticRef)
  const differences: Array<number> = []
  const pairs: Array<readonly [granted: number, fixed: number]> = []
  for (let round = 0; round < 15; round += 1) {
    const withStatic = 1e6 / (await throughput(() => fixed("/items?page=2"), 1, 40_000))
    const withOAuth = 1e6 / (await throughput(call, 1, 40_000))
    differences.push(withOAuth - withStatic)
    pairs.push([withOAuth, withStatic])
  }
  const difference = median(differences)
  const [own, plain] = [median(pairs.map(([one]) => one)), median(pairs.map(([, other]) => other))]
  rows.push({
    suite,
    name: "a due check on a fresh token adds, beside a static bearer token",
    value: `${difference.toFixed(2)} µs (${own.toFixed(2)} beside ${plain.toFixed(2)} µs per request)`,
    target: "≤ 2 µs",
    isMet: difference <= 2,
  })

  const refresh = async (): Promise<number> => {
    await expire()
    await call()
    return times.used - times.answered
  }
  for (let index = 0; index < 500; index += 1) await refresh()
  const waits: Array<number> = []
  for (let index = 0; index < 2_000; index += 1) waits.push(await refresh())
  waits.sort((one, other) => one - other)
  const p99 = waits[Math.floor(waits.length * 0.99)] ?? Number.NaN
  rows.push({
    suite,
    name: "from the token response to the request that uses the token, memory store, p50",
    value: `${median(waits).toFixed(2)} ms (p99 ${p99.toFixed(2)} ms)`,
    target: "≤ 1 ms",
    isMet: median(waits) <= 1,
  })

  const before = sent.all
  const start = (): Promise<unknown> =>
    executor.oauth.start({ ...ref, name: "other", client: "app", clientOwner: "org", template: "oauth" })
  const starts = await sample(start, 500)
  rows.push({
    suite,
    name: "network requests of start, for a client entered by hand",
    value: `${sent.all - before} in 1,000 starts (p50 ${starts.p50Us.toFixed(0)} µs each)`,
    target: "0",
    isMet: sent.all === before,
  })
  return rows
}
