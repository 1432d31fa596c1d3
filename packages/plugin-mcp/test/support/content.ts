/** What the test servers of both generations answer alike. */

/** Nobody is asked whether tools with these may be called. */
export const annotations = { readOnlyHint: true }

const pixel = "iVBORw0KGgo="

/** A part of each kind that a tool may answer, between two texts. */
export const everyContent = [
  { type: "text", text: "one" },
  { type: "image", data: pixel, mimeType: "image/png" },
  { type: "audio", data: pixel, mimeType: "audio/wav" },
  { type: "resource", resource: { uri: "note://1", mimeType: "text/plain", text: "a note" } },
  { type: "resource", resource: { uri: "note://2", blob: pixel } },
  { type: "resource_link", uri: "https://files.example.com/big", name: "big", mimeType: "video/mp4", size: 9 },
  { type: "text", text: "two" },
] as const
