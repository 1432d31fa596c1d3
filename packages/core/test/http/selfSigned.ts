/**
 * Makes a self-signed certificate for tests of TLS: X.509 v3 (RFC 5280), ECDSA over P-256, valid from 2020 to 2099.
 *
 * Written out in DER because Node signs but does not issue, and a private key in a repository is a bad example.
 */
import { generateKeyPairSync, randomUUID, sign } from "node:crypto"

/** What `tls.createServer` takes, and `tls.setDefaultCACertificates` for the certificate. */
export interface Certificate {
  readonly key: string
  readonly cert: string
}

/** A certificate for host names and IPv4 addresses. */
export const selfSigned = (names: ReadonlyArray<string>): Certificate => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const ecdsaWithSha256 = der(0x30, oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02))
  const commonName = der(0x30, oid(0x55, 0x04, 0x03), der(0x0c, Buffer.from(`Keyward test ${randomUUID()}`)))
  const subject = der(0x30, der(0x31, commonName))
  const alternatives = names.map((name) =>
    /^[\d.]+$/.test(name) ? der(0x87, Buffer.from(name.split(".").map(Number))) : der(0x82, Buffer.from(name)),
  )
  const extensions = [
    der(0x30, oid(0x55, 0x1d, 0x11), der(0x04, der(0x30, ...alternatives))),
    der(0x30, oid(0x55, 0x1d, 0x13), yes, der(0x04, der(0x30, yes))),
  ]
  const unsigned = der(
    0x30,
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.of(1)),
    ecdsaWithSha256,
    subject,
    der(0x30, der(0x17, Buffer.from("200101000000Z")), der(0x18, Buffer.from("20990101000000Z"))),
    subject,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, der(0x30, ...extensions)),
  )
  const signature = sign("sha256", unsigned, privateKey)
  const certificate = der(0x30, unsigned, ecdsaWithSha256, der(0x03, Buffer.of(0), signature))
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString("base64")}\n-----END CERTIFICATE-----\n`,
  }
}

const der = (tag: number, ...contents: ReadonlyArray<Uint8Array>): Buffer => {
  const content = Buffer.concat(contents)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...size), content])
}

const oid = (...bytes: ReadonlyArray<number>): Buffer => der(0x06, Buffer.from(bytes))
const yes = der(0x01, Buffer.of(0xff))
