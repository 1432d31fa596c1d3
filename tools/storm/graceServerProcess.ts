/**
 * An authorization server that rotates, and lets a spent refresh token work for another 30 s, in a process of its own.
 *
 * That of `@keyward/core/testing`. Spawned by `AuthorizationServer.ts`.
 */
import { misbehavingAuthorizationServer } from "@keyward/core/testing"
import type {
  AuthorizationServerMessage,
  AuthorizationServerOptions,
  AuthorizationServerReport,
} from "./AuthorizationServerMessages.ts"

const { accessTokenSeconds, answerMs } = JSON.parse(process.argv[2] ?? "{}") as AuthorizationServerOptions
const server = await misbehavingAuthorizationServer({ rotation: "grace", graceMs: 30_000, accessTokenSeconds })
// Processed at once, and answered byte by byte: about 150 of them.
if (answerMs > 0) server.always("token", { fault: "drip", everyMs: Math.ceil(answerMs / 150) })

/** Which of the requests rotated which grant is not asked of it: no grant may be lost here, whoever was killed. */
const report = (): AuthorizationServerReport => {
  const requests = server.requests("token").filter(({ parameters }) => parameters.get("grant_type") === "refresh_token")
  return {
    requests: requests.length,
    expiries: new Set(requests.map(({ parameters }) => parameters.get("refresh_token"))).size,
    early: 0,
    refused: {},
    grants: server.grants.map(({ endedBy }) => ({
      rotations: [],
      revoked: endedBy === null ? null : { at: Date.now(), port: 0 },
    })),
  }
}

const send = (message: AuthorizationServerMessage): void => void process.send?.(message)

send({ type: "listening", port: Number(new URL(server.origin).port) })
process.on("message", (id: number) => send({ type: "report", id, report: report() }))
process.on("disconnect", () => process.exit())
