/** Where oidc-provider keeps its records here: all of them, unlike its own storage for development, which forgets all but a thousand. */
export class ProviderRecords {
  readonly #model: string

  constructor(model: string) {
    this.#model = model
  }

  upsert(id: string, payload: Record<string, unknown>): Promise<void> {
    records.set(this.#key(id), payload)
    return Promise.resolve()
  }

  find(id: string): Promise<Record<string, unknown> | undefined> {
    return Promise.resolve(records.get(this.#key(id)))
  }

  findByUid(uid: string): Promise<Record<string, unknown> | undefined> {
    return Promise.resolve(this.#own().find(([, payload]) => payload["uid"] === uid)?.[1])
  }

  findByUserCode(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  consume(id: string): Promise<void> {
    const payload = records.get(this.#key(id))
    if (payload !== undefined) payload["consumed"] = Math.floor(Date.now() / 1000)
    return Promise.resolve()
  }

  destroy(id: string): Promise<void> {
    records.delete(this.#key(id))
    return Promise.resolve()
  }

  revokeByGrantId(grantId: string): Promise<void> {
    for (const [key, payload] of this.#own()) if (payload["grantId"] === grantId) records.delete(key)
    return Promise.resolve()
  }

  #key(id: string): string {
    return `${this.#model}:${id}`
  }

  #own(): ReadonlyArray<readonly [string, Record<string, unknown>]> {
    return [...records].filter(([key]) => key.startsWith(`${this.#model}:`))
  }
}

const records = new Map<string, Record<string, unknown>>()
