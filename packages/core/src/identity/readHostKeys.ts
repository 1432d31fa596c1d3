/** Secret keys as hosts pass them, in their config: what signs approvals, what an audit trail is chained with. */
import { createSecretKey, type KeyObject } from "node:crypto"

/** Reads a key or several, each 32 bytes or more, or base64 of them; `undefined` where one of them is none, and where there is none. */
export const readHostKeys = (
  material: string | Uint8Array | ReadonlyArray<string | Uint8Array>,
): readonly [KeyObject, ...ReadonlyArray<KeyObject>] | undefined => {
  const keys = (Array.isArray(material) ? (material as ReadonlyArray<unknown>) : [material]).map(readHostKey)
  const [first, ...rest] = keys
  return first === undefined || rest.includes(undefined) ? undefined : [first, ...(rest as ReadonlyArray<KeyObject>)]
}

const readHostKey = (material: unknown): KeyObject | undefined => {
  const bytes =
    typeof material === "string" && /^[\w+/-]{43,}={0,2}$/.test(material)
      ? Buffer.from(material, "base64")
      : material instanceof Uint8Array
        ? material
        : undefined
  return bytes === undefined || bytes.length < 32 ? undefined : createSecretKey(bytes)
}
