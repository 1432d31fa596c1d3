/**
 * Whether what an authorization server says where an error code stands may be shown to anybody.
 */

/** What stands there may also be the echo of a token, which is long, full of digits, or of every kind of character. */
export const isErrorCode = (code: string): boolean =>
  code.length <= 64 &&
  /^[A-Za-z0-9]{1,24}(?:[_.-][A-Za-z0-9]{1,24})*$/.test(code) &&
  code.replace(/\D/g, "").length <= 8 &&
  !(/[a-z]/.test(code) && /[A-Z]/.test(code) && /\d/.test(code))
