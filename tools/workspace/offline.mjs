/**
 * Loaded with `--import` before an example: refuses every connection that would leave this machine.
 *
 * Sockets and name look-ups are the two ways out of a Node process, so replacing `Socket.prototype.connect` covers
 * fetch, undici, http and pg alike. Loopback names and addresses, and local sockets, stay open.
 */
import net from "node:net"

const isLoopback = (host) =>
  host === undefined ||
  host === "localhost" ||
  host.endsWith(".localhost") ||
  host === "::1" ||
  host.startsWith("127.") ||
  host.startsWith("::ffff:127.")

const connect = net.Socket.prototype.connect

net.Socket.prototype.connect = function connectWithinThisMachine(...args) {
  const [first] = Array.isArray(args[0]) ? args[0] : args
  const options = typeof first === "object" && first !== null ? first : { host: args[1] }
  const host = typeof options.host === "string" ? options.host : undefined
  if (typeof options.path !== "string" && !isLoopback(host)) {
    const refusal = new Error(`examples run without the network, and this one connects to ${JSON.stringify(host)}`)
    // Later, as a real failure would come: until then TLS still sets up the socket and callers add their listeners.
    setImmediate(() => this.destroy(refusal))
    return this
  }
  return connect.apply(this, args)
}
