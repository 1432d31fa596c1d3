/**
 * How soon a stream is opened again that a server has ended.
 *
 * The server may say so itself, and it may say nothing sensible: streams that end one after the other are opened ever more slowly.
 */
import type { ReconnectionScheduler } from "@modelcontextprotocol/client"

/** In milliseconds. */
const firstMs = 50
const slowestMs = 2_000
const longestMs = 5 * 60_000
/** Streams that lasted so long, in milliseconds, are not held against the server. */
const quietMs = 60_000

/** The scheduler of one transport. */
export const reconnectionPace = (): ReconnectionScheduler => {
  let count = 0
  let lastAt = 0
  return (reconnect, askedMs) => {
    count = Date.now() - lastAt > quietMs ? 0 : count + 1
    lastAt = Date.now()
    const paceMs = Math.min(firstMs * 2 ** count, slowestMs)
    const timer = setTimeout(reconnect, Math.min(Math.max(askedMs, paceMs), longestMs))
    timer.unref()
    return () => clearTimeout(timer)
  }
}
