/**
 * A second implementation of the format, written from `docs/reference/encrypted-file-format.md` with `node:crypto` alone.
 *
 * It reads whole, undamaged files and shares no code with the package, so that the page, the vectors and the package are
 * held against each other.
 */
import { createDecipheriv, createHash, createHmac, hkdfSync, scryptSync } from "node:crypto"

export interface SecondReading {
  readonly vault: string
  readonly kek: string
  readonly wrapKey: string
  readonly headerKey: string
  readonly nameKey: string
  readonly chainKey: string
  readonly seq: number
  readonly entries: ReadonlyArray<{
    readonly id: string
    readonly name: string
    readonly version: number
    readonly value: string
  }>
  readonly lost: ReadonlyArray<string>
}

interface Header {
  readonly vault: string
  readonly base: number
  readonly kdf: {
    readonly alg: string
    readonly N: number
    readonly r: number
    readonly p: number
    readonly salt: string
  }
  readonly kek: string
  readonly index: string
  readonly keys: ReadonlyArray<{ readonly kid: string; readonly jwe: string }>
}

export const secondReading = (
  file: Buffer,
  secret: { readonly key?: Buffer; readonly passphrase?: string },
): SecondReading => {
  const firstLine = file.toString("latin1", 0, file.indexOf("\n"))
  const [body, checksum] = cutLast(firstLine)
  must(createHash("sha256").update(body, "latin1").digest("base64url") === checksum, "checksum")
  const [signed, headerMac] = cutLast(body)
  must(signed.startsWith("keyward-vault 1 "), "version")
  must((firstLine.length + 1) % 4096 === 0, "padding of the header")
  const header = JSON.parse(signed.slice("keyward-vault 1 ".length)) as Header

  const material =
    header.kdf.alg === "raw"
      ? (secret.key ?? Buffer.alloc(0))
      : scryptSync((secret.passphrase ?? "").normalize("NFC"), Buffer.from(header.kdf.salt, "base64url"), 32, {
          N: header.kdf.N,
          r: header.kdf.r,
          p: header.kdf.p,
          maxmem: 2 ** 30,
        })
  const derived = (use: string, length: number): Buffer =>
    Buffer.from(hkdfSync("sha256", material, header.vault, `keyward-vault/1 ${use}`, length))
  must(derived("id", 16).toString("base64url") === header.kek, "key")
  const [wrapKey, headerKey] = [derived("wrap", 32), derived("header", 32)]
  must(mac(headerKey, signed) === headerMac, "header mac")

  const index = opened(header.index, wrapKey, { kid: header.kek, vid: header.vault, holds: "index" })
  const [nameKey, chainKey] = [index.subarray(0, 32), index.subarray(32)]
  const dataKeys = new Map<string, Buffer>()
  const addKey = (kid: string, jwe: string): void => {
    dataKeys.set(kid, opened(jwe, wrapKey, { kid: header.kek, vid: header.vault, holds: kid }))
  }
  for (const { kid, jwe } of header.keys) addKey(kid, jwe)

  const slot = file.toString("latin1", firstLine.length + 1, firstLine.length + 1 + 1024)
  must(slot.slice(0, 512) === slot.slice(512), "the head's copies")
  const [headBody, headMac] = cutLast(slot.slice(0, 511).trimEnd())
  must(mac(chainKey, headBody) === headMac, "head mac")
  const [, headSeq, newestMac] = headBody.split(" ")

  let [seq, previous] = [header.base, headerMac]
  const recent: Array<string> = []
  const entries = new Map<string, SecondReading["entries"][number]>()
  const lost = new Set<string>()
  for (const line of file
    .toString("latin1", firstLine.length + 1 + 1024)
    .split("\n")
    .slice(0, -1)) {
    const [lineBody, lineMac] = cutLast(line)
    must(mac(chainKey, lineBody) === lineMac, "record mac")
    const [kind = "", lineSeq, version, subject = "", repeated, prev, jwe = ""] = lineBody.split(" ")
    must(Number(lineSeq) === seq + 1 && prev === previous, "chain")
    must(repeated === (recent.slice(-8).join(",") || "-"), "recent subjects")
    if (kind === "key") addKey(subject, jwe)
    entries.delete(subject)
    lost.delete(subject)
    if (kind === "lost") lost.add(subject)
    if (kind === "put") {
      const { kid } = JSON.parse(Buffer.from(jwe.split(".")[0] ?? "", "base64url").toString()) as { kid: string }
      const bound = { kid, vid: header.vault, n: subject, ver: Number(version) }
      const plaintext = opened(jwe, dataKeys.get(kid) ?? Buffer.alloc(32), bound)
      const [id, value] = JSON.parse(plaintext.toString()) as [string, string]
      must(
        createHmac("sha256", nameKey).update(id, "utf16le").digest().subarray(0, 16).toString("base64url") === subject,
        "name",
      )
      entries.set(subject, { id, name: subject, version: Number(version), value })
    }
    recent.push(subject)
    ;[seq, previous] = [seq + 1, lineMac]
  }
  must(Number(headSeq) === seq && newestMac === previous, "head")
  return {
    vault: header.vault,
    kek: header.kek,
    wrapKey: wrapKey.toString("hex"),
    headerKey: headerKey.toString("hex"),
    nameKey: nameKey.toString("hex"),
    chainKey: chainKey.toString("hex"),
    seq,
    entries: [...entries.values()],
    lost: [...lost],
  }
}

const opened = (jwe: string, key: Buffer, bound: Readonly<Record<string, unknown>>): Buffer => {
  const [header = "", encryptedKey, iv = "", ciphertext = "", tag = ""] = jwe.split(".")
  must(encryptedKey === "", "dir")
  const claims = JSON.parse(Buffer.from(header, "base64url").toString()) as Readonly<Record<string, unknown>>
  for (const [name, value] of Object.entries({ alg: "dir", enc: "A256GCM", ...bound }))
    must(claims[name] === value, name)
  const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(iv, "base64url"))
  decipher.setAAD(Buffer.from(header, "ascii")).setAuthTag(Buffer.from(tag, "base64url"))
  return Buffer.concat([decipher.update(Buffer.from(ciphertext, "base64url")), decipher.final()])
}

const mac = (key: Buffer, text: string): string =>
  createHmac("sha256", key).update(text, "latin1").digest("base64url").slice(0, 22)

const cutLast = (text: string): readonly [string, string] => {
  const at = text.lastIndexOf(" ")
  return [text.slice(0, at), text.slice(at + 1)]
}

const must = (holds: boolean, what: string): void => {
  if (!holds) throw new Error(`The second reader does not agree about the ${what}.`)
}
