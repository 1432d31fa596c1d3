/**
 * Extensions of plugins on the Promise surface: the same methods, which return a Promise where the extension's own return an Effect.
 */
import * as Effect from "effect/Effect"
import type { Plugin } from "../integration/Plugin.ts"
import type { EffectExecutor } from "./Executor.ts"

/** An extension's methods as the Promise surface shows them. */
export type PromiseExtension<Extension> = {
  readonly [Name in keyof Extension]: Extension[Name] extends (...input: infer Input) => infer Output
    ? (...input: Input) => Output extends Effect.Effect<infer Value, infer _Error> ? Promise<Value> : Output
    : Extension[Name]
}

/**
 * What the given plugins add to an executor, each under its id; nothing where it is not known which they are, so that any
 * executor can be passed where a plain `Executor` is wanted.
 */
export type Extensions<Plugins extends ReadonlyArray<Plugin>> = {
  readonly [P in Plugins[number] as string extends P["id"] ? never : P["id"]]: P extends Plugin<string, infer Extension>
    ? PromiseExtension<Extension>
    : never
}

/** Adds a plugin's extension to an executor under the plugin's id; it is made when it is first asked for. */
export const defineExtension = (executor: object, id: string, effect: EffectExecutor): void => {
  let extension: object | undefined
  Object.defineProperty(executor, id, {
    enumerable: true,
    get: () => {
      const own = effect.extension(id)
      return own === undefined ? undefined : (extension ??= promised(own))
    },
  })
}

/** An extension as the Promise surface shows it: methods that return an Effect return a Promise of it. */
const promised = (extension: object): object => {
  const shown: Record<string, unknown> = {}
  for (const name of memberNames(extension)) {
    const member: unknown = Reflect.get(extension, name)
    shown[name] =
      typeof member === "function"
        ? (...input: ReadonlyArray<unknown>) => settled(Reflect.apply(member, extension, input))
        : member
  }
  return shown
}

/** The names of an extension's members; an instance of a class has its methods on its prototypes. */
const memberNames = (extension: object): ReadonlySet<string> => {
  const names = new Set(Object.keys(extension))
  for (
    let prototype = Object.getPrototypeOf(extension) as object | null;
    prototype !== null && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype) as object | null
  ) {
    for (const name of Object.getOwnPropertyNames(prototype)) if (name !== "constructor") names.add(name)
  }
  return names
}

const settled = (answer: unknown): unknown =>
  Effect.isEffect(answer) ? Effect.runPromise(answer as Effect.Effect<unknown, unknown>) : answer
