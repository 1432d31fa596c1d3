/**
 * Where a host begins: checks the config, builds what is shared, and hands out the executor for the first identity.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type InvalidIdentityError, makeIdentity } from "../identity/Identity.ts"
import type { Plugin } from "../integration/Plugin.ts"
import { checkConfig } from "./checkConfig.ts"
import { type EffectExecutor, makeExecutor } from "./Executor.ts"
import type { ExecutorConfig, InvalidConfigError } from "./ExecutorConfig.ts"
import { type Executor, makePromiseExecutor } from "./PromiseExecutor.ts"
import { makeResources } from "./Resources.ts"
import { runPromise } from "./runPromise.ts"

/**
 * Makes an executor.
 *
 * Rejects with `InvalidConfigError` or `InvalidIdentityError` for a config that cannot work. Close it with `close()` or
 * `await using`.
 *
 * @example
 * ```ts
 * import { createExecutor, memoryProvider } from "@keyward/core"
 *
 * await using executor = await createExecutor({ providers: [memoryProvider()] })
 * const tools = await executor.tools.list({ query: "issues" })
 * ```
 */
export const createExecutor = <const Plugins extends ReadonlyArray<Plugin> = readonly []>(
  config: ExecutorConfig<Plugins> = {},
): Promise<Executor<Plugins>> =>
  runPromise(
    Effect.map(build(config), (executor) =>
      makePromiseExecutor(executor, config.plugins ?? ([] as unknown as Plugins)),
    ),
  )

/** {@link createExecutor} for Effect programs; closed with its scope. */
export const createEffectExecutor = (
  config: ExecutorConfig = {},
): Effect.Effect<EffectExecutor, InvalidConfigError | InvalidIdentityError, Scope.Scope> =>
  Effect.acquireRelease(build(config), (executor) => executor.close())

const build = (config: ExecutorConfig): Effect.Effect<EffectExecutor, InvalidConfigError | InvalidIdentityError> =>
  Effect.gen(function* () {
    yield* checkConfig(config)
    const identity = yield* makeIdentity(config, "default")
    return makeExecutor(makeResources(config), identity)
  })
