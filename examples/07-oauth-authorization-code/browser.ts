/** A person's browser, as far as it matters here: it keeps the cookies of each site and follows redirects from one to the other. */

/** See the file's header. */
export class Browser {
  readonly #cookies = new Map<string, Map<string, string>>()
  readonly #history: Array<string> = []

  /** Every address that was visited, oldest first. */
  get history(): ReadonlyArray<string> {
    return this.#history
  }

  /** Opens an address and goes wherever it leads, or as far as the first that begins with `until`. Answers with the last page. */
  async open(address: string, until?: string): Promise<{ readonly url: string; readonly text: string }> {
    let url = new URL(address)
    for (;;) {
      if (until !== undefined && url.href.startsWith(until)) return { url: url.href, text: "" }
      this.#history.push(url.href)
      const response = await fetch(url, { redirect: "manual", headers: { cookie: this.#cookieHeader(url) } })
      this.#keepCookies(url, response)
      const location = response.headers.get("location")
      const text = await response.text()
      if (location === null) return { url: url.href, text }
      url = new URL(location, url)
    }
  }

  #cookieHeader({ host }: URL): string {
    return [...(this.#cookies.get(host) ?? [])].map((pair) => pair.join("=")).join("; ")
  }

  #keepCookies({ host }: URL, response: Response): void {
    const jar = this.#cookies.get(host) ?? new Map<string, string>()
    this.#cookies.set(host, jar)
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
      if (/expires=Thu, 01 Jan 1970/i.test(cookie)) jar.delete(name)
      else jar.set(name, value)
    }
  }
}
