import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAllDocuments, stringify } from 'yaml'

import { listItems, parseYaml, splitParts } from './yaml-text.ts'

function only(text: string): ReturnType<typeof parseYaml>['documents'][number] {
  const [document] = parseYaml(text).documents
  if (document === undefined) throw new Error('no document')
  return document
}

describe('splitParts', () => {
  it('knows on which line each part starts', () => {
    expect(splitParts('a: 1\n---\nb: 2\n--- # c\nc: 3\n')).toEqual([
      { text: 'a: 1\n', linesBefore: 0 },
      { text: '---\nb: 2\n', linesBefore: 1 },
      { text: '--- # c\nc: 3\n', linesBefore: 3 },
    ])
  })

  it('takes only a marker of its own for one', () => {
    expect(splitParts('a: |\n  ---\n---b: 1\n')).toHaveLength(1)
  })

  it('keeps a directive with the document it belongs to', () => {
    const text = 'a: 1\n...\n%YAML 1.2\n---\nb: 2\n'
    expect(splitParts(text)).toEqual([{ text, linesBefore: 0 }])
    expect(parseYaml(text).documents.map((one) => one.value)).toEqual([{ a: 1 }, { b: 2 }])
  })

  it('gives the same documents as parsing the whole text', () => {
    const document = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.array(fc.string())))
    fc.assert(
      fc.property(fc.array(document, { minLength: 1, maxLength: 5 }), (documents) => {
        const text = documents.map((one) => stringify(one)).join('---\n')
        const parts = splitParts(text)
        expect(parts.map((part) => part.text).join('')).toBe(text)
        const read = parts.flatMap((part) => parseAllDocuments(part.text)).map((one) => one.toJS() as unknown)
        expect(read).toEqual(parseAllDocuments(text).map((one) => one.toJS() as unknown))
      }),
    )
  })
})

describe('parseYaml', () => {
  const document = only('spec:\n  ports:\n    - {name: web, port: 80}\n    - port: 81\n')

  it('places values and keys', () => {
    expect(document.positionOf(['spec', 'ports', 0, 'port'])).toEqual({ line: 3, column: 25 })
    expect(document.keyPositionOf(['spec', 'ports', 0, 'port'])).toEqual({ line: 3, column: 19 })
    expect(document.positionOf(['spec', 'ports', 1])).toEqual({ line: 4, column: 7 })
  })

  it('places what is absent at what is around it', () => {
    expect(document.positionOf(['spec', 'ports', 1, 'name'])).toEqual({ line: 4, column: 7 })
    expect(document.keyPositionOf(['spec', 'ports', 9, 'name'])).toEqual({ line: 3, column: 5 })
    expect(document.positionOf(['nothing'])).toEqual({ line: 1, column: 1 })
  })

  it('places through aliases', () => {
    const aliased = only('a: &x\n  b: 1\nc: *x\n')
    expect(aliased.value).toEqual({ a: { b: 1 }, c: { b: 1 } })
    expect(aliased.positionOf(['c', 'b'])).toEqual({ line: 2, column: 6 })
  })

  it('reads JSON', () => {
    expect(only('{"a": [1, {"b": "c"}], "d": null}').value).toEqual({ a: [1, { b: 'c' }] })
  })

  it('leaves null fields out, as Kubernetes does', () => {
    expect(only('a:\nb: {c: null, d: [null, 1]}\n').value).toEqual({ b: { d: [null, 1] } })
  })

  it('refuses a small text that would expand to a big one', () => {
    const lines = ['a: &a [x, x, x, x, x, x, x, x, x, x]']
    for (const [from, to] of ['ab', 'bc', 'cd', 'de'].map((pair) => pair.split('')))
      lines.push(`${to}: &${to} [${Array.from({ length: 10 }, () => `*${from}`).join(', ')}]`)
    expect(parseYaml(lines.join('\n')).faults).toHaveLength(1)
  })

  it('quotes nothing of the text in a fault', () => {
    const { faults } = parseYaml('password: hunter2\n  token: [\n')
    expect(faults.length).toBeGreaterThan(0)
    expect(JSON.stringify(faults)).not.toContain('hunter2')
  })

  it('never throws, whatever the text', () => {
    fc.assert(fc.property(fc.string(), (text) => void splitParts(text).map((part) => parseYaml(part.text))))
  })
})

describe('listItems', () => {
  it('gives each item its own place', () => {
    const [first, second] = listItems(only('kind: List\nitems:\n  - a: 1\n  - a: 2\n'))
    expect(second?.value).toEqual({ a: 2 })
    expect(first?.positionOf([])).toEqual({ line: 3, column: 5 })
    expect(second?.keyPositionOf(['a'])).toEqual({ line: 4, column: 5 })
  })
})
