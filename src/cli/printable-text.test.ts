import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'

import { printable, printableJson, printableLines, printableYaml } from './printable-text.ts'
import { renderTable } from './table.ts'
import { textWidth } from './text-width.ts'

/** What a terminal may obey, or shows as something else than it is. */
const dangerous = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/u

const anyColour = new RegExp(`${String.fromCodePoint(0x1b)}\\[[\\d;]*m`, 'g')

const attacks = [
  '\u001B[2J\u001B[H', // clear
  '\u001B]0;title\u0007',
  '\u001B]52;c;cm0gLXJm\u0007', // the clipboard
  '\u009B31m', // CSI in one character
  '\u001BP+q544e\u001B\\',
  'good\rbad',
  'a\b\b\bevil',
  '\u202Egpj.exe',
  '\uD800',
  '\u{E0041}',
  '\u2028',
  '\u2065',
  'line\nline',
  '\u0000',
]
const hostile = fc
  .array(fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.constantFrom(...attacks)), { maxLength: 12 })
  .map((parts) => parts.join(''))

describe('text of others', () => {
  it('has nothing that a terminal obeys, whatever it was, on one line', () => {
    fc.assert(
      fc.property(hostile, fc.boolean(), (text, isUnicode) => {
        const shown = printable(text, isUnicode)
        expect(shown).not.toMatch(dangerous)
        if (!isUnicode) expect(shown).toMatch(/^[\u0020-\u007e]*$/)
      }),
    )
  })

  it('says which characters it does not show', () => {
    expect(printable('/a\u001B[31mb\u009Bc\u202E\u{E0041}')).toBe('/a\\x1b[31mb\\x9bc\\u{202e}\\u{e0041}')
    expect(printable('größe 👩‍👩‍👧 日本')).toBe('größe 👩‍👩‍👧 日本')
    expect(printable('größe', false)).toBe('gr\\xf6\\xdfe')
  })

  it('is short, however long it was', () => {
    expect(printable('x'.repeat(1_000_000))).toHaveLength(1_000)
    expect(printable(`a${'\u0301'.repeat(500)}b`)).toHaveLength(6)
  })

  it('keeps the lines and colours of messages, and nothing else', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        // colours are sequences of which the rest is plain
        const rest = printableLines(text).replaceAll(anyColour, '')
        expect(rest.replaceAll(/[\n\t]/g, '')).not.toMatch(dangerous)
      }),
    )
    expect(printableLines('\u001B[31merror\u001B[39m: a\nb\u001B[8mhidden')).toBe(
      '\u001B[31merror\u001B[39m: a\nb\\x1b[8mhidden',
    )
  })

  it('is the same value in JSON and YAML', () => {
    fc.assert(
      fc.property(fc.dictionary(hostile, fc.array(hostile, { maxLength: 3 }), { maxKeys: 4 }), (value) => {
        const json = printableJson(JSON.stringify(value, null, 2))
        expect(json.replaceAll('\n', '')).not.toMatch(dangerous)
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(value)))
        const yaml = printableYaml((options) => stringify(value, { lineWidth: 0, ...options }))
        expect(yaml.replaceAll('\n', '')).not.toMatch(dangerous)
        expect({ ...(parse(yaml) as object) }).toEqual({ ...value })
      }),
    )
  })

  it('stays within the width of a table, and on its lines', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(hostile, hostile), { maxLength: 4 }),
        fc.integer({ min: 12, max: 80 }),
        (rows, width) => {
          const text = renderTable([{ header: 'A' }, { header: 'B' }], rows, { width })
          const lines = text.split('\n')
          expect(lines).toHaveLength(rows.length + 2)
          for (const line of lines) {
            expect(textWidth(line)).toBeLessThanOrEqual(width)
            expect(line).not.toMatch(dangerous)
          }
        },
      ),
    )
  })
})
