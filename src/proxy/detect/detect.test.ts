import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { detectionBytes, detectProtocol, type Protocol } from './detect.ts'

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')
const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

/** What is found when the bytes come one at a time. */
function first(bytes: Uint8Array): Protocol | undefined {
  for (let end = 1; end <= bytes.length; end++) {
    const found = detectProtocol(bytes.subarray(0, end))
    if (found !== undefined) return found
  }
  return undefined
}

describe('detection', () => {
  it.each([
    ['tls', '\x16\x03\x01\x02\x00'],
    ['http1', 'GET / HTTP/1.1\r\n'],
    ['http1', '\r\nPOST / HTTP/1.1\r\n'],
    ['http1', 'PROPFIND /'],
    ['http1', 'PRINT / HTTP/1.1\r\n'],
    ['http2', preface],
    ['other', '\x16\x02\x01'],
    ['other', '\x00\x01'],
    ['other', 'EHLO\r\n'],
    ['other', ' GET / HTTP/1.1\r\n'],
    ['other', `${'A'.repeat(40)} /`],
  ] as const)('finds %s in %j, whole or byte by byte', (protocol, text) => {
    expect(detectProtocol(bytesOf(text))).toBe(protocol)
    expect(first(bytesOf(text))).toBe(protocol)
  })

  it('waits while it cannot tell', () => {
    for (const text of ['', 'G', 'GET', 'PRI', preface.slice(0, -1), '\x16', '\r', '\r\n']) {
      expect(detectProtocol(bytesOf(text))).toBeUndefined()
    }
  })

  it('never contradicts itself when more comes, and knows within its bound', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: detectionBytes, maxLength: 200 }), (bytes) => {
        const found = first(bytes.subarray(0, detectionBytes))
        if (found !== undefined) expect(detectProtocol(bytes)).toBe(found)
      }),
    )
  })
})
