/**
 * Which addresses count as public, how a host lists internal ones, and that a literal in any spelling is seen as one.
 */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { literalAddress, makeAddressPolicy } from "../../src/http/AddressPolicy.ts"

const policy = makeAddressPolicy([])

describe("isPublic", () => {
  it.each([
    "8.8.8.8",
    "1.1.1.1",
    "140.82.121.5",
    "172.15.255.255",
    "172.32.0.1",
    "192.167.255.255",
    "192.169.0.1",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "223.255.255.255",
    "168.63.129.17",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "2a00:1450:4001:80f::200e",
  ])("takes %s for public", (address) => {
    expect(policy.isPublic(address)).toBe(true)
  })

  it.each([
    ["unspecified", "0.0.0.0"],
    ["this network", "0.1.2.3"],
    ["private 10/8", "10.1.2.3"],
    ["private 172.16/12", "172.16.0.1"],
    ["private 172.16/12, its end", "172.31.255.255"],
    ["private 192.168/16", "192.168.0.1"],
    ["carrier-grade NAT", "100.64.0.1"],
    ["Alibaba metadata", "100.100.100.200"],
    ["loopback", "127.0.0.1"],
    ["loopback, its end", "127.255.255.254"],
    ["link-local metadata", "169.254.169.254"],
    ["ECS metadata", "169.254.170.2"],
    ["Oracle metadata", "192.0.0.192"],
    ["Azure platform", "168.63.129.16"],
    ["documentation", "192.0.2.1"],
    ["6to4 relay", "192.88.99.1"],
    ["benchmarking", "198.18.0.1"],
    ["multicast", "224.0.0.1"],
    ["reserved", "240.0.0.1"],
    ["broadcast", "255.255.255.255"],
    ["v6 unspecified", "::"],
    ["v6 loopback", "::1"],
    ["v4-compatible", "::127.0.0.1"],
    ["v4-mapped loopback", "::ffff:127.0.0.1"],
    ["v4-mapped public", "::ffff:8.8.8.8"],
    ["v4-mapped in hexadecimal", "::ffff:7f00:1"],
    ["v4-translated", "::ffff:0:7f00:1"],
    ["NAT64 of loopback", "64:ff9b::7f00:1"],
    ["NAT64 of metadata", "64:ff9b::169.254.169.254"],
    ["local NAT64", "64:ff9b:1::1"],
    ["6to4 of loopback", "2002:7f00:1::"],
    ["Teredo", "2001:0:53aa:64c:0:0:80ff:fffe"],
    ["discard only", "100::1"],
    ["dummy prefix", "100:0:0:1::1"],
    ["documentation v6", "2001:db8::1"],
    ["unique-local", "fc00::1"],
    ["EC2 metadata over v6", "fd00:ec2::254"],
    ["link-local v6", "fe80::1"],
    ["link-local v6 with its zone", "fe80::1%eth0"],
    ["loopback with a zone", "::1%lo"],
    ["site-local", "fec0::1"],
    ["multicast v6", "ff02::1"],
  ])("takes %s for internal: %s", (_, address) => {
    expect(policy.isPublic(address)).toBe(false)
  })

  it.each(["", "localhost", "example.com", "127.0.0.1:80", "[::1]", "8.8.8.8 "])(
    "refuses %j, which is none",
    (text) => {
      expect(policy.isPublic(text)).toBe(false)
    },
  )

  it("takes no v4-mapped, v4-compatible, NAT64 or 6to4 spelling of any IPv4 address for public", () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number)
        const high = (a * 256 + b).toString(16)
        const low = (c * 256 + d).toString(16)
        for (const spelling of [
          `::ffff:${address}`,
          `::${address}`,
          `64:ff9b::${high}:${low}`,
          `2002:${high}:${low}::1`,
        ]) {
          expect(policy.isPublic(spelling)).toBe(false)
        }
      }),
    )
  })
})

describe("literalAddress", () => {
  it.each([
    ["http://127.0.0.1/", "127.0.0.1"],
    ["http://127.0.0.1./", "127.0.0.1"],
    ["http://2130706433/", "127.0.0.1"],
    ["http://0x7f000001/", "127.0.0.1"],
    ["http://0x7f.1/", "127.0.0.1"],
    ["http://0177.0.0.1/", "127.0.0.1"],
    ["http://017700000001/", "127.0.0.1"],
    ["http://127.1/", "127.0.0.1"],
    ["http://127.0.1/", "127.0.0.1"],
    ["http://0/", "0.0.0.0"],
    ["http://%31%32%37.0.0.1/", "127.0.0.1"],
    ["http://１２７.０.０.１/", "127.0.0.1"],
    ["http://127。0。0。1/", "127.0.0.1"],
    ["http://0xA9FEA9FE/", "169.254.169.254"],
    ["http://[::1]:8080/", "::1"],
    ["http://[0:0:0:0:0:0:0:1]/", "::1"],
    ["http://[::ffff:127.0.0.1]/", "::ffff:7f00:1"],
    ["http://[fd00:ec2::254]/", "fd00:ec2::254"],
  ])("reads %s as %s", (url, address) => {
    expect(literalAddress(new URL(url))).toBe(address)
  })

  it.each([
    "http://localhost/",
    "http://127.0.0.1.example.com/",
    "http://a1/",
    "http://1a.b2/",
    "http://example.com./",
  ])("sees a name in %s", (url) => {
    expect(literalAddress(new URL(url))).toBeUndefined()
  })

  it("finds every IPv4 address, however it is spelled", () => {
    const spell = fc.constantFrom(
      (n: number) => String(n),
      (n: number) => `0x${n.toString(16)}`,
      (n: number) => `0${n.toString(8)}`,
    )
    fc.assert(
      fc.property(fc.ipV4(), fc.array(spell, { minLength: 4, maxLength: 4 }), fc.boolean(), (address, spells, dot) => {
        const parts = address.split(".").map((part, index) => spells[index]?.(Number(part)) ?? part)
        expect(literalAddress(new URL(`http://${parts.join(".")}${dot ? "." : ""}/`))).toBe(address)
        const whole = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0)
        expect(literalAddress(new URL(`http://${spells[0]?.(whole) ?? ""}/`))).toBe(address)
      }),
    )
  })

  it("finds every IPv6 address", () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const found = literalAddress(new URL(`http://[${address}]/`))
        expect(found).toBeDefined()
        expect(new URL(`http://[${found ?? ""}]/`).host).toBe(new URL(`http://[${address}]/`).host)
      }),
    )
  })
})

describe("allowHosts", () => {
  const isListed = (entry: string, url: string): boolean => makeAddressPolicy([entry]).isListed(new URL(url))

  it("allows every port of an entry without one", () => {
    expect(isListed("localhost", "http://localhost:1/")).toBe(true)
    expect(isListed("localhost", "https://localhost/")).toBe(true)
    expect(isListed("127.0.0.1", "http://127.0.0.1:65535/")).toBe(true)
    expect(isListed("::1", "http://[::1]:9/")).toBe(true)
    expect(isListed("[::1]", "http://[::1]:9/")).toBe(true)
  })

  it("allows one port of an entry with one, the scheme's own included", () => {
    expect(isListed("127.0.0.1:8080", "http://127.0.0.1:8080/")).toBe(true)
    expect(isListed("127.0.0.1:8080", "http://127.0.0.1:8081/")).toBe(false)
    expect(isListed("127.0.0.1:80", "http://127.0.0.1/")).toBe(true)
    expect(isListed("127.0.0.1:443", "https://127.0.0.1/")).toBe(true)
    expect(isListed("127.0.0.1:443", "http://127.0.0.1/")).toBe(false)
    expect(isListed("[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080/")).toBe(true)
    expect(isListed("[::1]:8080", "http://[::1]:80/")).toBe(false)
  })

  it("compares hosts as URLs spell them", () => {
    expect(isListed("LOCALHOST", "http://localhost/")).toBe(true)
    expect(isListed("127.1", "http://127.0.0.1/")).toBe(true)
    expect(isListed("bücher.example", "http://xn--bcher-kva.example/")).toBe(true)
  })

  it("lists neither subdomains, nor look-alikes, nor the same name with a dot at its end", () => {
    for (const url of [
      "http://a.localhost/",
      "http://localhost.example.com/",
      "http://xlocalhost/",
      "http://localhost./",
      "http://127.0.0.1/",
      "http://[::1]/",
    ]) {
      expect(isListed("localhost", url)).toBe(false)
    }
  })

  it.each([
    "",
    "http://localhost",
    "localhost/path",
    "user@localhost",
    "a b",
    "[::1",
    "localhost:",
    "localhost:x",
    "*.corp",
  ])("refuses the entry %j and quotes it", (entry) => {
    expect(() => makeAddressPolicy([entry])).toThrow(JSON.stringify(entry))
  })
})
