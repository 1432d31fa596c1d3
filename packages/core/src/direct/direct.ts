/**
 * Effects that run without a fiber where they can: most of what a call asks for is known already, and what it waits for is one
 * callback. A fiber around that costs more than everything else that Keyward does for a call.
 *
 * They are ordinary effects for whoever runs them as such; {@link start} looks whether it can do with less. Used on the call
 * path, from the tool's address to the socket.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** Ends what was started, which then settles as interrupted. Does nothing afterwards. */
export type Interrupt = () => void

type Settle<A, E> = (exit: Exit.Exit<A, E>) => void

/** How an effect is started without a fiber. Settles once, perhaps before it returns. */
type Start<A, E> = (settle: Settle<A, E>) => Interrupt

/**
 * Starts an effect: at once what is finished already, without a fiber what was made here, in a fiber everything else.
 *
 * The Promise surface has no services and no context to hand on, so that the ways cannot be told apart.
 */
export const start = <A, E>(effect: Effect.Effect<A, E>, settle: Settle<A, E>): Interrupt => {
  if (isExit(effect)) {
    settle(effect)
    return nothing
  }
  const begin = (effect as Direct<A, E>)[direct]
  return begin === undefined ? Effect.runCallback(effect, { onExit: settle }) : begin(settle)
}

/** As `Effect.callback`; `register` answers how to clean up after an interruption, and must not throw. */
export const callback = <A, E>(register: (settle: Settle<A, E>) => () => void): Effect.Effect<A, E> =>
  directly(
    Effect.callback<A, E>((resume) => {
      const cleanUp = register(resume)
      return Effect.sync(cleanUp)
    }),
    (settle) => {
      let isOver = false
      const cleanUp = register((exit) => {
        if (isOver) return
        isOver = true
        settle(exit)
      })
      return () => {
        if (isOver) return
        isOver = true
        cleanUp()
        settle(Exit.interrupt())
      }
    },
  )

/** As `Effect.suspend`. */
export const suspend = <A, E>(make: () => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  directly(Effect.suspend(make), (settle) => start(attempt(make), settle))

/**
 * As `Effect.flatMap`; goes on at once after what has succeeded already, and hands on what has failed already.
 *
 * Called only where the whole path is suspended or about to run, because what follows may run while the effect is being made.
 */
export const andThen = <A, E, B, E2>(
  effect: Effect.Effect<A, E>,
  next: (value: A) => Effect.Effect<B, E2>,
): Effect.Effect<B, E | E2> => {
  if (isExit(effect)) return Exit.isSuccess(effect) ? next(effect.value) : (effect as Exit.Exit<never, E>)
  const whole: Effect.Effect<B, E | E2> = Effect.flatMap(effect, next)
  return isDirect(effect) ? directly(whole, (settle) => startBoth(effect, next, settle)) : whole
}

/** As `Effect.onExit`, for what takes no time and cannot fail. */
export const tapExit = <A, E>(
  effect: Effect.Effect<A, E>,
  observe: (exit: Exit.Exit<A, E>) => void,
): Effect.Effect<A, E> => {
  if (isExit(effect)) {
    observe(effect)
    return effect
  }
  const whole = Effect.onExit(effect, (exit) => Effect.sync(() => observe(exit)))
  if (!isDirect(effect)) return whole
  return directly(whole, (settle) =>
    start(effect, (exit) => {
      observe(exit)
      settle(exit)
    }),
  )
}

/** Whether an effect is finished already. The tag is looked at first, because the full check is slow and hardly ever needed. */
export const isExit = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Exit<A, E> =>
  (effect as { readonly _tag?: unknown })._tag === "Success" || Exit.isExit(effect)

const direct = Symbol("direct")

type Direct<A, E> = Effect.Effect<A, E> & { [direct]?: Start<A, E> }

const isDirect = <A, E>(effect: Effect.Effect<A, E>): boolean => (effect as Direct<A, E>)[direct] !== undefined

const directly = <A, E>(effect: Effect.Effect<A, E>, begin: Start<A, E>): Effect.Effect<A, E> => {
  ;(effect as Direct<A, E>)[direct] = begin
  return effect
}

const startBoth = <A, E, B, E2>(
  effect: Effect.Effect<A, E>,
  next: (value: A) => Effect.Effect<B, E2>,
  settle: Settle<B, E | E2>,
): Interrupt => {
  let second: Interrupt | undefined
  const first = start(effect, (exit) => {
    if (Exit.isSuccess(exit))
      second = start(
        attempt(() => next(exit.value)),
        settle,
      )
    else settle(exit as Exit.Exit<never, E>)
  })
  return () => {
    if (second === undefined) first()
    else second()
  }
}

/** What a fiber does with what is thrown. */
const attempt = <A, E>(make: () => Effect.Effect<A, E>): Effect.Effect<A, E> => {
  try {
    return make()
  } catch (defect) {
    return Exit.die(defect)
  }
}

const nothing = (): void => undefined
