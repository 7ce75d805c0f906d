// What a tap shows of a body: its beginning, as text with what is secret taken out, or as base64.
import { brotliDecompressSync, constants, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib'

import type { TappedBody } from '../../contracts/telemetry/tap.ts'
import type { Redactor } from '../../policies/redaction/redaction.runtime.ts'
import type { CopiedBody } from './copied-bodies.ts'

/** A small body may say that it becomes a very large one. */
const mostDecoded = 1024 * 1024
const isTextual = /^(?:text\/|multipart\/)|json|xml|form-urlencoded|javascript|yaml/i

/** Undefined: there is none. `most`: bytes of it. */
export function tappedBody(copy: CopiedBody, most: number, redactor: Redactor): TappedBody | undefined {
  const { bytes, type, coding } = copy
  if (bytes === 0) return undefined
  const decoded = decode(copy.beginning, coding)
  const about = { bytes, ...(type !== '' && { type }) }
  // what cannot be read cannot be redacted
  if (decoded === undefined)
    return { ...about, isCut: true, omitted: `its content coding "${coding}" cannot be undone` }
  const shown = decoded.subarray(0, most)
  const isCut = shown.length < (coding === '' ? bytes : decoded.length) || copy.beginning.length < bytes
  const text = textOf(shown, isTextual.test(type))
  return text === undefined
    ? { ...about, isCut, base64: shown.toString('base64') }
    : { ...about, isCut, text: redactor.body(text, type) }
}

/** Of one that is cut as much as there is. Undefined: it is none, or too long. */
function decode(bytes: Buffer, coding: string): Buffer | undefined {
  const maxOutputLength = mostDecoded
  try {
    switch (coding.toLowerCase()) {
      case '':
      case 'identity':
        return bytes
      case 'gzip':
      case 'x-gzip':
        return gunzipSync(bytes, { maxOutputLength, finishFlush: constants.Z_SYNC_FLUSH })
      case 'deflate':
        return inflateSync(bytes, { maxOutputLength, finishFlush: constants.Z_SYNC_FLUSH })
      case 'br':
        return brotliDecompressSync(bytes, { maxOutputLength, finishFlush: constants.BROTLI_OPERATION_FLUSH })
      case 'zstd':
        return zstdDecompressSync(bytes, { maxOutputLength, finishFlush: constants.ZSTD_e_flush })
      default:
        return undefined
    }
  } catch {
    return undefined
  }
}

/** Undefined: it is none. What says that it is one is shown as one, so that it is redacted. */
function textOf(bytes: Buffer, isSaid: boolean): string | undefined {
  try {
    // a character may be cut
    const text = new TextDecoder('utf-8', { fatal: !isSaid }).decode(bytes, { stream: true })
    return isSaid || !text.includes('\0') ? text : undefined
  } catch {
    return undefined
  }
}
