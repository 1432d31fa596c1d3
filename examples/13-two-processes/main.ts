/**
 * Two processes share one account whose refresh token works once: `pnpm --filter @keyward/example-13-two-processes start`.
 *
 * Records are in a SQLite file, secrets in an encrypted one. The authorization server revokes everything when a refresh token is used a
 * second time. It asserts what it prints.
 */
import assert from "node:assert/strict"
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { misbehavingAuthorizationServer } from "@keyward/core/testing"
import { main, openExecutor } from "./files.ts"

const folder = mkdtempSync(join(tmpdir(), "keyward-two-processes-"))
process.once("exit", () => rmSync(folder, { recursive: true, force: true }))
await using server = await misbehavingAuthorizationServer({ rotation: "strict", accessTokenSeconds: 2 })

console.log("1. A web host connects Ada's account, and ends.")
const host = await openExecutor(folder, server.host)
await host.files.add(server.origin, server.resourceUrl)
await host.oauth.createClient({
  owner: "org",
  slug: "app",
  grant: "authorization_code",
  clientId: "keyward",
  clientSecret: "the-secret-of-this-app",
  authorizationUrl: server.authorizationUrl,
  tokenUrl: server.tokenUrl,
})
const started = await host.oauth.start({ ...main, client: "app", clientOwner: "org", template: "oauth" })
assert.equal(started.status, "redirect")
const connection = await host.oauth.complete({ callbackUrl: await server.visit(started.authorizationUrl) })
await host.close()
console.log(`   ${connection.address}, ${connection.status}\n`)

console.log("2. Two agents start, each a process of its own, and use what is there.")
const agents = await Promise.all([startAgent(), startAgent()])
assert.deepEqual(await Promise.all(agents.map((agent) => call(agent, 1))), [["ok"], ["ok"]])
console.log("   both called a tool with the token that the host had obtained\n")

console.log("3. Tokens last two seconds. Four times, both agents call 20 times at once with one that has run out.")
const before = server.requests("token").length
for (let round = 1; round <= 4; round++) {
  await setTimeout(2000)
  const answers = (await Promise.all(agents.map((agent) => call(agent, 20)))).flat()
  assert.deepEqual(new Set(answers), new Set(["ok"]))
  assert.equal(server.requests("token").length - before, round)
}
assert.equal(server.reuses, 0)
console.log("   160 calls, 160 answers; 4 refreshes; no refresh token was used twice\n")

console.log("4. One agent is killed. The other goes on.")
const [first, second] = agents
assert.ok(first && second)
first.kill("SIGKILL")
await once(first, "exit")
await setTimeout(2000)
assert.deepEqual(await call(second, 1), ["ok"])
assert.ok(server.grants.every(({ endedBy }) => endedBy === null))
second.disconnect()
await once(second, "exit")
console.log("   Ada's account is as good as on the first day.")

async function startAgent(): Promise<ChildProcess> {
  const agent = fork(join(import.meta.dirname, "agent.ts"), [folder, server.host])
  await once(agent, "message")
  return agent
}

async function call(agent: ChildProcess, times: number): Promise<ReadonlyArray<string>> {
  agent.send(times)
  const [answers] = (await once(agent, "message")) as [ReadonlyArray<string>]
  return answers
}
