/**
 * Which hosts and addresses a request may reach: public ones, and those the embedding host lists.
 *
 * Literal addresses are judged in the URL, names after resolution (see Transport.ts), so that a name cannot lead inside.
 * Ranges: the IANA special-purpose registries (RFC 6890 and its updates).
 */
import { BlockList, isIP } from "node:net"

/** The rule for one executor. */
export interface AddressPolicy {
  /** Whether the embedding host listed this URL's host, with its port or with any. */
  readonly isListed: (url: URL) => boolean
  /** Whether an IP address is public. Expects no brackets. */
  readonly isPublic: (address: string) => boolean
}

/**
 * Reads `egress.allowHosts`: `"localhost"` allows every port, `"127.0.0.1:8080"` and `"[::1]:8080"` one.
 *
 * Throws a `TypeError` that quotes an entry which is neither.
 */
export const makeAddressPolicy = (allowHosts: ReadonlyArray<string>): AddressPolicy => {
  const listed = new Set(allowHosts.map(normalizedEntry))
  return {
    isListed: (url) => listed.size > 0 && (listed.has(hostWithPort(url)) || listed.has(url.hostname)),
    isPublic,
  }
}

/** The literal address in a URL's host, without brackets; `undefined` when the host is a name. */
export const literalAddress = (url: URL): string | undefined => {
  const { hostname } = url
  if (hostname.startsWith("[")) return hostname.slice(1, -1)
  // The URL parser turns every form of an IPv4 address into four decimals and refuses other hosts whose last label is a number.
  return lastLabelIsNumber.test(hostname) ? hostname : undefined
}

const lastLabelIsNumber = /(?:^|\.)\d+$/

const isPublic = (address: string): boolean => {
  const bare = address.split("%", 1)[0] ?? address
  switch (isIP(bare)) {
    case 4:
      return !specialV4.check(bare, "ipv4")
    case 6:
      return !specialV6.check(bare, "ipv6")
    default:
      return false
  }
}

// Two lists: in one, the range of v4-mapped addresses would match every IPv4 address.
const specialV4 = new BlockList()
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["168.63.129.16", 32], // Azure's platform endpoint: public by number, reachable from inside only
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const) {
  specialV4.addSubnet(network, prefix, "ipv4")
}
const specialV6 = new BlockList()
for (const [network, prefix] of [
  ["::", 96], // unspecified, loopback and the old v4-compatible form
  ["::ffff:0:0", 96], // v4-mapped: a second spelling of addresses judged above
  ["::ffff:0:0:0", 96], // v4-translated
  ["64:ff9b::", 96], // NAT64 hides a v4 address
  ["64:ff9b:1::", 48],
  ["100::", 64],
  ["100:0:0:1::", 64],
  ["2001::", 23], // Teredo, ORCHID, benchmarking
  ["2001:db8::", 32],
  ["2002::", 16], // 6to4 hides a v4 address
  ["3fff::", 20],
  ["5f00::", 16],
  ["fc00::", 7],
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
] as const) {
  specialV6.addSubnet(network, prefix, "ipv6")
}

/** `host` holds the port unless it is the scheme's own. */
const hostWithPort = ({ host, port, protocol }: URL): string =>
  port === "" ? `${host}:${protocol === "https:" ? 443 : 80}` : host

const entryForm = /^(\[[0-9a-fA-F:.]+\]|[^*:/?#@\\[\]\s]+)(?::(\d{1,5}))?$/

const normalizedEntry = (entry: string): string => {
  const form = entryForm.exec(isIP(entry) === 6 ? `[${entry}]` : entry)
  const host = form?.[1]
  if (host === undefined || !URL.canParse(`http://${host}`)) {
    throw new TypeError(
      `egress.allowHosts: ${JSON.stringify(entry)} is not a host or host:port, such as "127.0.0.1:8080".`,
    )
  }
  const { hostname } = new URL(`http://${host}`)
  return form?.[2] === undefined ? hostname : `${hostname}:${Number(form[2])}`
}
