/**
 * Text that breaks careless code, by what it breaks: ids that meet a path, a prototype or a C string, spellings that look
 * alike, and values that a codec may alter. The contract suites run over all of it.
 */

/** One piece of hostile text and the noun phrase that names it in a test's title. */
export interface HostileText {
  readonly kind: string
  readonly text: string
}

/** Ids and names that must be opaque to whoever stores under them. All are well-formed UTF-16. */
export const hostileIds: ReadonlyArray<HostileText> = [
  { kind: "the prototype name __proto__", text: "__proto__" },
  { kind: "the prototype name constructor", text: "constructor" },
  { kind: "the prototype name toString", text: "toString" },
  { kind: "a path upwards", text: "../../../../etc/passwd" },
  { kind: "an absolute path", text: "/etc/passwd" },
  { kind: "a Windows path", text: "C:\\Windows\\..\\secrets" },
  { kind: "a single dot", text: "." },
  { kind: "two dots", text: ".." },
  { kind: "nothing at all", text: "" },
  { kind: "a space", text: " " },
  { kind: "separators", text: "tenant:subject/connection|variable;a,b" },
  { kind: "percent signs", text: "%2e%2e%2f%00%25%zz%" },
  { kind: "quotes and shell characters", text: `'"\`$(reboot) && ; | > < * ? ! # ~ {}` },
  { kind: "a leading dash", text: "--output=/tmp/x" },
  { kind: "an SQL fragment", text: "'; DROP TABLE items; --" },
  { kind: "a line break", text: "first\r\nsecond\nthird" },
  { kind: "a NUL in the middle", text: "before\0after" },
  { kind: "only a NUL", text: "\0" },
  { kind: "control characters", text: "\u0001\u001b[31m\u007f\u0085\u2028\u2029" },
  { kind: "a byte order mark", text: "\ufeffid" },
  { kind: "a right-to-left override", text: "id\u202efdp.exe" },
  { kind: "Chinese, Arabic, Devanagari and Cyrillic", text: "密钥-مفتاح-कुंजी-ключ" },
  { kind: "emoji joined into one", text: "👩🏽‍💻🏳️‍🌈" },
  { kind: "4 KB of ASCII", text: "k".repeat(4096) },
  { kind: "4 KB of a three-byte letter", text: "密".repeat(1365) },
]

/** Ids that look or sort alike and are different all the same; each entry is one family. */
export const lookAlikeIds: ReadonlyArray<{ readonly kind: string; readonly ids: ReadonlyArray<string> }> = [
  { kind: "upper and lower case", ids: ["token", "Token", "TOKEN"] },
  { kind: "composed and decomposed letters", ids: ["caf\u00e9", "cafe\u0301", "cafe"] },
  { kind: "compatibility forms", ids: ["\ufb01le", "file", "\u212b", "\u00c5", "A\u030a"] },
  { kind: "case mappings of one language", ids: ["stra\u00dfe", "strasse", "\u0130d", "id", "\u0131d", "ID"] },
  { kind: "space around a name", ids: ["name", " name", "name ", "name\n", "\tname", "\u00a0name"] },
  { kind: "encoded and plain separators", ids: ["a/b", "a%2Fb", "a%2fb", "a%252Fb", "a:b", "a\\b", "a\0b", "ab"] },
  { kind: "prefixes of each other", ids: ["a", "aa", "a\0", "a/", "a.", "a%"] },
  { kind: "characters that cannot be seen", ids: ["id", "i\u200bd", "\ufeffid", "id\u200d", "id\ufe0f"] },
]

/** Secrets that must come back exactly. All are well-formed UTF-16. */
export const hostileValues: ReadonlyArray<HostileText> = [
  { kind: "the empty text", text: "" },
  { kind: "line breaks of every kind", text: "one\ntwo\r\nthree\rfour\u2028five\u0085six" },
  { kind: "a trailing line break", text: "-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n" },
  { kind: "space around it", text: " \t secret \t " },
  { kind: "only a line break", text: "\n" },
  { kind: "a NUL", text: "before\0after\0" },
  {
    kind: "every control character",
    text: String.fromCharCode(...Array.from({ length: 32 }, (_, code) => code), 127, 128, 159),
  },
  { kind: "quotes, backslashes and shell characters", text: `'"\`\\$HOME $(id) %PATH% \\n {{x}} <!-- -->` },
  { kind: "a JSON document", text: `{"__proto__":{"a":[1,"\\u0000",null]}}` },
  { kind: "a byte order mark", text: "\ufeffsecret" },
  { kind: "non-characters and the replacement character", text: "\uffff\ufffe\ufffd\udbff\udfff" },
  { kind: "composed and decomposed letters side by side", text: "caf\u00e9 cafe\u0301 \ufb01" },
  { kind: "other scripts and emoji", text: "密钥 مفتاح कुंजी 👩🏽‍💻" },
  { kind: "1 MB of ASCII", text: "0123456789abcdef".repeat(65_536) },
  { kind: "1 MB of three-byte letters", text: "密".repeat(349_525) },
]

/** Text that is not well-formed UTF-16: no UTF-8 holds it, so it is kept in another way or refused, never replaced. */
export const malformedTexts: ReadonlyArray<HostileText> = [
  { kind: "a high surrogate alone", text: "\ud800" },
  { kind: "a low surrogate alone", text: "\udc00" },
  { kind: "surrogates in the wrong order", text: "\udc00\ud800" },
  { kind: "a surrogate inside text", text: "before\ud83dafter" },
]
