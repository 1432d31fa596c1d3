/** The service that the plugin speaks to: a few notes behind a bearer token, on a free port of 127.0.0.1. */
import { fakeUpstream, type FakeUpstream, type UpstreamAnswer, type UpstreamRequest } from "@keyward/core/testing"

/** Starts the service; `token` is the only one it accepts. */
export const startNotesService = (token: string): Promise<FakeUpstream> => {
  const notes = new Map<string, { readonly id: string; readonly text: string; readonly audience: string }>()
  const answer = (request: UpstreamRequest): UpstreamAnswer => {
    if (request.headers.authorization !== `Bearer ${token}`) return { status: 401, json: { error: "unknown token" } }
    const [, collection, id = "", part] = request.path.split("/")
    if (collection !== "notes") return { status: 404, json: { error: "no such page" } }
    if (id === "" && request.method === "GET") return { json: [...notes.values()] }
    if (id === "" && request.method === "POST") {
      const note = { id: String(notes.size + 1), audience: "nobody", ...(request.json() as { readonly text: string }) }
      notes.set(note.id, note)
      return { status: 201, json: note }
    }
    const note = notes.get(id)
    if (note === undefined) return { status: 404, json: { error: `no note ${id}` } }
    if (part === "audience") {
      const published = { ...note, ...(request.json() as { readonly audience: string }) }
      notes.set(id, published)
      return { json: published }
    }
    notes.delete(id)
    return { status: 204 }
  }
  return fakeUpstream(answer)
}
