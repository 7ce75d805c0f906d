// Protocol detection: says the same however the bytes are cut, and never needs more than its bound.
import assert from 'node:assert/strict'

import { detectionBytes, detectProtocol } from '../../../src/proxy/detect/detect.ts'
import type { FuzzTarget } from '../fuzz-target.ts'

const seeds = [
  'GET / HTTP/1.1\r\n',
  '\r\n\r\nPOST /',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\x16\x03\x01\x02\x00\x01',
  '\x00\x00\x05mysql',
  'PRI / HTTP/1.1',
]

export const detectTarget: FuzzTarget = {
  name: 'detect',
  seeds: seeds.map((seed) => Buffer.from(seed, 'latin1')),
  runs: 20_000,
  check(input) {
    let first: string | undefined
    for (let length = 0; length <= Math.min(input.length, detectionBytes * 2); length++) {
      const found = detectProtocol(input.subarray(0, length))
      if (first !== undefined) assert.equal(found, first, `changed its mind at byte ${length}`)
      first = found
      if (found === undefined) assert.ok(length < detectionBytes * 2, 'still undecided far beyond the bound')
    }
  },
}
