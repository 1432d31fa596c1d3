/** The `fetch` and the `send` that a plugin is handed: already authorized, and watched. */
import type { CompiledIntegration } from "../../integration/Integration.ts"
import type { Fetch, Send } from "../../integration/Plugin.ts"
import type { CallRecord } from "../call/CallRecord.ts"
import type { CallStop } from "../call/CallStop.ts"
import type { Resources } from "../Resources.ts"
import { sendAnonymous, sendAuthorized, toFetch, toSend } from "./AuthorizedFetch.ts"
import type { CredentialSource } from "./CredentialSource.ts"

/** A plugin's `fetch`, authorized by a credential source, unauthenticated without one; what happens to it is recorded. */
export const authorizedFetch = (
  resources: Resources,
  compiled: CompiledIntegration,
  source: CredentialSource | undefined,
  record: CallRecord,
  stop: CallStop,
): Fetch =>
  toFetch(
    (request) =>
      record.watch(
        source === undefined
          ? sendAnonymous(resources, compiled.binding, request, record)
          : sendAuthorized(resources, compiled.binding, source, request, record),
        true,
      ),
    stop,
  )

/** A plugin's `send`; as {@link authorizedFetch}. */
export const authorizedSend = (
  resources: Resources,
  compiled: CompiledIntegration,
  source: CredentialSource | undefined,
  record: CallRecord,
  stop: CallStop,
): Send =>
  toSend((request, isAnonymous) => {
    // What is answered to a request without the credential says nothing about the credential.
    if (isAnonymous) return sendAnonymous(resources, compiled.binding, request, record)
    const sent =
      source === undefined
        ? sendAnonymous(resources, compiled.binding, request, record)
        : sendAuthorized(resources, compiled.binding, source, request, record)
    return record.watch(sent, false)
  }, stop)
