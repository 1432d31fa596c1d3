/**
 * Ordinary client code, as an API's own SDK would be: it takes a `fetch`, and knows nothing of Keyward or of keys.
 */

/** One item in stock. */
export interface Item {
  readonly sku: string
  readonly name: string
  readonly stock: number
}

/** A client of the inventory API. */
export class InventoryClient {
  readonly #baseUrl: string
  readonly #fetch: typeof globalThis.fetch

  constructor(options: { readonly baseUrl: string; readonly fetch?: typeof globalThis.fetch }) {
    this.#baseUrl = options.baseUrl
    this.#fetch = options.fetch ?? globalThis.fetch
  }

  async getItem(sku: string): Promise<Item> {
    const response = await this.#fetch(`${this.#baseUrl}/items/${encodeURIComponent(sku)}`)
    if (!response.ok) throw new Error(`The inventory answered ${response.status}.`)
    return (await response.json()) as Item
  }
}
