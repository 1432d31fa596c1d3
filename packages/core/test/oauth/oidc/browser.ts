/**
 * A person with a browser, as far as oidc-provider's development pages need one: cookies, redirects, and forms that are filled in.
 */

/** Follows an authorization URL through sign-in and consent, or denies; gives the URL of the callback without visiting it. */
export const authorize = async (url: string, { isDenied = false } = {}): Promise<string> => {
  const browser = new Browser(new URL(url).origin)
  let page = await browser.open(url)
  for (let step = 0; step < 10 && page.callback === null; step++) {
    const abort = /href="([^"]+\/abort)"/.exec(page.html)?.[1]
    page = isDenied && abort !== undefined ? await browser.open(unescaped(abort)) : await browser.submit(page.html)
  }
  return page.callback ?? fail("no callback after ten pages", page.html)
}

/** Approves a device: confirms the code, signs in, consents. Or aborts instead of confirming. */
export const approveDevice = async (verificationUriComplete: string, { isDenied = false } = {}): Promise<void> => {
  const browser = new Browser(new URL(verificationUriComplete).origin)
  let page = await browser.open(verificationUriComplete)
  if (isDenied) {
    // Comes to the question that has the buttons, and then to the page where a code is typed in.
    while (!/name="confirm"/.test(page.html)) page = await browser.submit(page.html)
    await browser.submit(page.html, { abort: "yes" })
    return
  }
  for (let step = 0; step < 10; step++) {
    if (/Sign-in Success/i.test(page.html)) return
    page = await browser.submit(page.html)
  }
  fail("no success after ten pages", page.html)
}

interface Page {
  readonly html: string
  /** Where the server sent the browser that is not the server itself. */
  readonly callback: string | null
}

class Browser {
  readonly #origin: string
  readonly #cookies = new Map<string, string>()

  constructor(origin: string) {
    this.#origin = origin
  }

  async open(address: string, form?: URLSearchParams): Promise<Page> {
    let url = new URL(address, this.#origin)
    let body = form
    for (let hop = 0; hop < 20; hop++) {
      const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ")
      const response = await fetch(url, {
        method: body === undefined ? "GET" : "POST",
        redirect: "manual",
        headers: { cookie },
        ...(body !== undefined && { body }),
      })
      for (const line of response.headers.getSetCookie()) this.#keep(line)
      const location = response.headers.get("location")
      if (location === null) {
        const html = await response.text()
        return response.ok ? { html, callback: null } : fail(`status ${response.status}`, html)
      }
      url = new URL(location, url)
      body = undefined
      if (url.origin !== this.#origin) return { html: "", callback: url.href }
    }
    return fail("more than 20 redirects", "")
  }

  /** Submits the page's only form as it is, signing in as `alice` where it asks, with the button given or the one that goes on. */
  submit(html: string, button?: Readonly<Record<string, string>>): Promise<Page> {
    const action = /<form[^>]*\saction="([^"]+)"/.exec(html)?.[1] ?? fail("no form", html)
    const fields = new URLSearchParams()
    for (const [input] of html.matchAll(/<input[^>]*>/g)) {
      const name = /\sname="([^"]*)"/.exec(input)?.[1]
      if (name !== undefined) fields.set(name, unescaped(/\svalue="([^"]*)"/.exec(input)?.[1] ?? "alice"))
    }
    // The confirmation of a device is a button.
    if (/name="confirm"/.test(html)) {
      for (const [name, value] of Object.entries(button ?? { confirm: "yes" })) fields.set(name, value)
    }
    return this.open(unescaped(action), fields)
  }

  #keep(line: string): void {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    if (name === undefined) return
    if (value === undefined || value === "" || /;\s*expires=Thu, 01 Jan 1970/i.test(line)) this.#cookies.delete(name)
    else this.#cookies.set(name, value)
  }
}

const unescaped = (text: string): string => text.replaceAll("&amp;", "&").replaceAll("&quot;", `"`)

const fail = (what: string, html: string): never => {
  throw new Error(`The browser got stuck: ${what}. ${html.replaceAll(/<style>.*?<\/style>|\s+/gs, " ").slice(0, 500)}`)
}
