// Which bytes may stand where in an HTTP/1.1 head (RFC 9110 section 5.6.2, RFC 9112).

export const CR = 13
export const LF = 10
export const SP = 32
export const HT = 9
export const COLON = 58
export const SEMICOLON = 59

function table(allowed: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (allowed(byte) ? 1 : 0))
}

const tokenText = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/** tchar: methods and field names. */
export const isToken: Uint8Array = table((byte) => tokenText.includes(String.fromCharCode(byte)))
/** field-vchar, SP and HTAB: field values. */
export const isFieldText: Uint8Array = table((byte) => byte === HT || (byte >= SP && byte !== 127))
/** Printable ASCII without "#": request targets (a fragment is never sent). */
export const isTarget: Uint8Array = table((byte) => byte > SP && byte < 127 && byte !== 35)
/** Value of a hexadecimal digit, 255 for anything else. */
export const hexValue: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = '0123456789abcdef'.indexOf(String.fromCharCode(byte).toLowerCase())
  return digit === -1 ? 255 : digit
})
