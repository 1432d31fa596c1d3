/**
 * How names become the text of a key column, so that any database keeps them apart and orders them as JavaScript does.
 *
 * Key columns compare byte by byte (SQLite's BINARY, Postgres's "C"), which on UTF-8 is the order of code points. Lists are promised
 * code unit by code unit, where U+10000 comes before U+E000, and Postgres holds no U+0000. Both are repaired by a prefix that leaves
 * every ordinary name as it is, readable in the database's own tools.
 */
import { createHash } from "node:crypto"

/** The text of a column that is compared and ordered; equal for equal texts only, and in the order of code units. */
export const keyText = (text: string): string => {
  if (ordinary.test(text)) return text
  return text.isWellFormed() ? text.replace(displaced, place) : digest(text)
}

/** The text of a column that is compared only: long texts become their digest, so that every index can hold it. */
export const partitionText = (text: string): string => {
  const key = keyText(text)
  // Three bytes is the most that a code unit takes in UTF-8, unless it was displaced.
  if (key.length * 3 <= longestPartition) return key
  return Buffer.byteLength(key) <= longestPartition ? key : digest(text)
}

/** A btree page of Postgres holds keys of up to 2,704 bytes; tenant and subject share one with integration and name. */
const longestPartition = 256

// oxlint-disable-next-line no-control-regex -- U+0000 and U+0001 are what it is about
const ordinary = /^[\u0002-\uD7FF]*$/

/** What sorts elsewhere in UTF-8 than in UTF-16, or cannot be held: with `u`, pairs of surrogates count as one character. */
// oxlint-disable-next-line no-control-regex -- the same
const displaced = /[\0\u0001\uE000-\uFFFF\u{10FFFF}]/gu

const place = (character: string): string => {
  switch (character) {
    case "\0":
      return "\u0001\u0001"
    case "\u0001":
      return "\u0001\u0002"
    case "\u{10FFFF}":
      return "\u{10FFFF}\u0001"
    default:
      return `\u{10FFFF}${character}`
  }
}

/** `U+0001 U+0003` begins no text that was placed. Over UTF-16, which keeps ill-formed texts apart too. */
const digest = (text: string): string =>
  `\u0001\u0003${createHash("sha256").update(text, "utf16le").digest("base64url")}`
