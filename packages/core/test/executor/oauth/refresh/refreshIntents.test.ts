/** What an intent on a row means for whoever holds the lease. */
import { describe, expect, it } from "vitest"
import type { RefreshIntent } from "../../../../src/connection/ConnectionGrant.ts"
import { standingOf } from "../../../../src/executor/oauth/refresh/refreshIntents.ts"

const now = 1_700_000_000_000
/** The store's clock is another one. */
const storeNow = now - 3_600_000
const sent: RefreshIntent = { id: "intent", startedAt: now - 1_000, tokenHash: "hash", state: "sent" }

describe("the standing of an intent", () => {
  it.each<[string, Partial<RefreshIntent>, string]>([
    ["that nobody has missed yet, however old", { startedAt: 0 }, "new"],
    ["whose writer is missed since now", { missedAt: storeNow }, "missed"],
    ["whose writer is missed for 7 s", { missedAt: storeNow - 7_000 }, "missed"],
    ["whose writer is missed for 9 s", { missedAt: storeNow - 9_000 }, "abandoned"],
    [
      "that repeats another, whose writer is missed for half a second",
      { isReplay: true, missedAt: storeNow - 500 },
      "missed",
    ],
    [
      "that repeats another, whose writer is missed for 2 s",
      { isReplay: true, missedAt: storeNow - 2_000 },
      "abandoned",
    ],
    ["missed in the future: the store's clock went back", { missedAt: storeNow + 60_000 }, "new"],
    ["whose answer is lost", { state: "unknown" }, "unknown"],
    ["whose tokens somebody holds", { state: "held" }, "held"],
    ["of whose held tokens nobody has spoken for an hour", { state: "held", startedAt: now - 3_600_000 }, "new"],
    [
      "of whose held tokens nobody has spoken while that was missed for long",
      { state: "held", startedAt: now - 3_600_000, missedAt: storeNow - 9_000 },
      "abandoned",
    ],
  ])("%s", (_, change, kind) => {
    expect(standingOf({ ...sent, ...change }, "replay", now, storeNow).kind).toBe(kind)
  })

  it("whose tokens are there already is waited for less long than one whose token would be sent again", () => {
    const missed = { ...sent, missedAt: storeNow - 3_000 }
    expect(standingOf(missed, "overtaking", now, storeNow).kind).toBe("abandoned")
    expect(standingOf(missed, "replay", now, storeNow).kind).toBe("missed")
  })
})
