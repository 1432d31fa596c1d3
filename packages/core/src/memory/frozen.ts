/** A record as it is kept: whoever reads it holds the very object, and nobody changes it. */

/** Freezes plain data through and through, once. */
export const frozen = <Value>(value: Value): Value => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value
  for (const inner of Object.values(value)) frozen(inner)
  return Object.freeze(value)
}
