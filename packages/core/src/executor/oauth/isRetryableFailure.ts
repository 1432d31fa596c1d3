/**
 * What a failed token request means for the flow that made it.
 */
import type { TokenRequestError } from "../../oauth/tokenFailure.ts"

/** Whether the same call may succeed later without anybody changing anything. */
export const isRetryableFailure = ({ kind }: TokenRequestError): boolean =>
  kind === "transient" || kind === "not_sent" || kind === "ambiguous"
