import { describe, expect, it } from 'vitest'

import { sampleRecord } from '../../../test/kit/sample-record.ts'
import type { TappedRecord } from '../../contracts/telemetry/tap.ts'
import type { CliHost } from '../host.ts'
import { Output } from '../output.ts'
import { bodyLines } from './tap-bodies.ts'

const output = new Output({ env: { NO_COLOR: '1' }, stdout: {} } as unknown as CliHost)
const lines = (bodies: TappedRecord['bodies']): string[] =>
  bodyLines(output, { ...sampleRecord(), ...(bodies !== undefined && { bodies }) })

describe('the bodies below a line of tap', () => {
  it('are none where there are none', () => {
    expect(lines(undefined)).toEqual([])
  })

  it('are text line by line, and bytes as hexadecimal digits beside ASCII', () => {
    const base64 = Buffer.from('a longer text, \u0001\u00ff').toString('base64')
    expect(
      lines({
        request: { bytes: 30, type: 'application/json', isCut: true, text: '{\r\n  "a": 1,\n' },
        response: { bytes: 18, isCut: false, base64 },
      }),
    ).toEqual([
      '  → 30 bytes, application/json, cut',
      '    {',
      '      "a": 1,',
      '  ← 18 bytes',
      '    0000  61 20 6c 6f 6e 67 65 72 20 74 65 78 74 2c 20 01  a longer text, .',
      '    0010  c3 bf                                            ..',
    ])
  })

  it('never are what a terminal obeys, and all of what is shown', () => {
    const [, shown] = lines({ request: { bytes: 5, isCut: false, text: '\u001b[2Jx\u202e' } })
    expect(shown).toBe(String.raw`    \x1b[2Jx\u{202e}`)
    const long = lines({ request: { bytes: 2_400, isCut: false, text: '😀'.repeat(600) } })
    expect(long.slice(1).join('').replaceAll(' ', '')).toBe('😀'.repeat(600))
    expect(lines({ request: { bytes: 9, isCut: true, omitted: 'its content coding "x"' } })).toEqual([
      '  → 9 bytes, not shown: its content coding "x"',
    ])
  })
})
