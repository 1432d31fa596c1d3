/** Keyward's spans as OpenTelemetry's. */
export { openTelemetryTracer } from "./openTelemetryTracer.ts"
