/** The world that the commands of the model-based test act on, and how somebody in it acts. */
import type { AgentExecutor, Executor } from "@keyward/core"
import { expect } from "vitest"
import type { ModelAgent, ModelCaller } from "./AccessModel.ts"

export const subjects = ["alice", "bob"] as const

/** What the commands act on. */
export interface World {
  /** Executors of nobody over the same records, in as many processes as there are; the commands take turns. */
  readonly executors: ReadonlyArray<Executor>
  /** The secrets that arrived at the service so far, in order. */
  readonly arrivals: ReadonlyArray<string>
  /** How many people have been asked so far; each said yes, once. */
  readonly asked: () => number
  /** How often something was done that was possible, by command: a run in which nothing happens proves nothing. */
  readonly done: Map<string, number>
  /** The executors of agents that were made with a key, from when they were made. */
  readonly kept: Array<KeptAgent>
  turn: number
  secrets: number
}

/** An agent's executor that somebody holds on to. */
interface KeptAgent {
  readonly tenant: string
  readonly caller: ModelCaller & { readonly agent: ModelAgent }
  readonly key: string
  readonly executor: AgentExecutor
}

/** Whether a promise was kept; what it was broken with has to be one of Keyward's own errors. */
export const succeeded = async <A>(promise: Promise<A>): Promise<{ readonly value: A } | undefined> => {
  try {
    return { value: await promise }
  } catch (error) {
    expect(error).toHaveProperty("_tag")
    return undefined
  }
}

/** A user, nobody, or an agent's executor, if there is such an agent. */
export const callerOf = async (executor: Executor, id: string | null): Promise<Executor | AgentExecutor | undefined> =>
  id === null ? executor : (await succeeded(executor.asAgent(id)))?.value
