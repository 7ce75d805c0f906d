import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { renderTable } from './table.ts'

const columns = [{ header: 'NAME' }, { header: 'RATE', align: 'right' as const }, { header: 'DETAIL' }]

describe('renderTable', () => {
  it('aligns columns under their headers and leaves no space at the end of a line', () => {
    expect(
      renderTable(columns, [
        ['web', '1.5', 'fine'],
        ['recommendations', '120', ''],
      ]),
    ).toBe('NAME             RATE  DETAIL\nweb               1.5  fine\nrecommendations   120\n')
  })

  it('shortens the widest column when the terminal is narrow', () => {
    const text = renderTable(columns, [['web', '1', 'a very long explanation of what went wrong']], { width: 30 })
    expect(text.split('\n')[1]).toBe('web      1  a very long expla…')
  })

  it('never exceeds the width as long as every column has four characters', () => {
    const cell = fc.string({ maxLength: 40 })
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell, cell), { maxLength: 5 }),
        fc.integer({ min: 16, max: 100 }),
        (rows, width) => {
          const lines = renderTable(columns, rows, { width }).split('\n')
          const segmenter = new Intl.Segmenter()
          return lines.every((line) => [...segmenter.segment(line)].length <= width)
        },
      ),
    )
  })

  it('puts a text of several lines on one', () => {
    expect(renderTable([{ header: 'A' }], [['first\n  second']])).toBe('A\nfirst second\n')
  })

  it('does not count colours as width', () => {
    const text = renderTable([{ header: 'OK' }, { header: 'B' }], [['yes', 'b']], { styleCell: (cell) => `<${cell}>` })
    expect(text).toBe('OK   B\n<yes>  <b>\n')
  })
})

describe('a table without room for all', () => {
  const spacious = [{ header: 'NAME' }, { header: 'P50', spare: 2 }, { header: 'TREND', spare: 1 }]

  it('leaves out spare columns first, and shortens nothing meanwhile', () => {
    const rows = [['recommendations', '1.00ms', '________']]
    expect(renderTable(spacious, rows, { width: 40 })).toContain('1.00ms  ________')
    expect(renderTable(spacious, rows, { width: 30 })).toBe('NAME             TREND\nrecommendations  ________\n')
    expect(renderTable(spacious, rows, { width: 20 })).toBe('NAME\nrecommendations\n')
  })

  it('counts wide characters twice', () => {
    expect(renderTable([{ header: 'NAME' }, { header: 'B' }], [['日本語', 'b']], { width: 20 })).toBe(
      'NAME    B\n日本語  b\n',
    )
    expect(renderTable([{ header: 'NAME' }, { header: 'B' }], [['日本語日本語', 'b']], { width: 11 })).toBe(
      'NAME      B\n日本語…   b\n',
    )
  })
})

describe('a column that wraps', () => {
  it('goes on below, between words, and shortens nothing', () => {
    const wrapping = [{ header: 'TIME' }, { header: 'WHAT', wraps: true as const }, { header: 'IN' }]
    expect(renderTable(wrapping, [['20:24', 'revision 2 changes averylongname and one', 'a']], { width: 26 })).toBe(
      [
        'TIME   WHAT             IN',
        '20:24  revision 2       a',
        '       changes',
        '       averylongname',
        '       and one',
        '',
      ].join('\n'),
    )
  })

  it('loses no word, however narrow it is', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), fc.integer({ min: 10, max: 30 }), (text, width) => {
        const lines = renderTable([{ header: 'A', wraps: true }], [[text]], { width })
          .split('\n')
          .slice(1)
        expect(lines.join('').replaceAll(/\s/g, '')).toBe(text.replaceAll(/\s/g, ''))
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(width)
      }),
    )
  })
})
