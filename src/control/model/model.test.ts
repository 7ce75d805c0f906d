import { describe, expect, it } from 'vitest'

import type { SourceFile } from '../sources/source.ts'
import { documentProblem, documentTexts, toManifest } from './document.ts'
import { documentsOfKind, Model } from './model.ts'
import type { ModelState } from './model.ts'

function service(name: string, port: number | string = 80): string {
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [{port: ${port}}]}\n`
}

function file(path: string, ...documents: readonly string[]): SourceFile {
  return { path, text: documents.join('---\n') }
}

function ports(state: ModelState): Record<string, number | undefined> {
  return Object.fromEntries(
    documentsOfKind(state.documents, 'Service').map((one) => [one.name, one.spec.ports[0]?.port]),
  )
}

describe('Model', () => {
  it('keeps the last good version of a document whose new text is bad, and takes the others over', () => {
    const model = new Model()
    model.update([file('a.yaml', service('one', 1), service('two', 2))])
    const state = model.update([file('a.yaml', service('one', 'no'), service('two', 22))])
    expect(ports(state)).toEqual({ one: 1, two: 22 })
    expect([...state.stale]).toEqual(['Service/default/one'])
    expect(state.problems.map((problem) => [problem.code, problem.position?.line])).toEqual([['HDL005', 4]])
    expect(ports(model.update([file('a.yaml', service('one', 11), service('two', 22))]))).toEqual({ one: 11, two: 22 })
  })

  it('goes on after a restart with the last good version of what is bad then', () => {
    const before = new Model().update([file('a.yaml', service('one', 1), service('two', 2), service('gone', 3))])
    const recorded = documentTexts(before.documents)
    const model = new Model(recorded)
    const state = model.update([file('a.yaml', service('one', 'no'), service('two', 22))])
    expect([ports(state), [...state.stale]]).toEqual([{ one: 1, two: 22 }, ['Service/default/one']])
    expect(ports(model.update([file('a.yaml', service('one', 'no'), service('two', 23))]))).toEqual({ one: 1, two: 23 })
    expect(ports(model.update([file('a.yaml', service('two', 23))]))).toEqual({ two: 23 })
    // it cannot be told what the file declares
    const unread = new Model(recorded)
    expect(ports(unread.update([file('a.yaml', '{'), file('b.yaml', service('two', 9))]))).toEqual({
      one: 1,
      gone: 3,
      two: 9,
    })
    expect(ports(unread.update([file('a.yaml', service('one', 5)), file('b.yaml', service('two', 9))]))).toEqual({
      one: 5,
      two: 9,
    })
    expect(ports(new Model(recorded).update([file('a.yaml', service('two', 9))]))).toEqual({ two: 9 })
  })

  it('leaves a new document out while it is bad', () => {
    const model = new Model()
    const state = model.update([file('a.yaml', service('one', 'no'))])
    expect(state.documents).toEqual([])
    expect(state.stale.size).toBe(0)
  })

  it('keeps what a half-written file had', () => {
    const model = new Model()
    const whole = [service('one'), service('two'), service('three')].join('---\n')
    model.update([{ path: 'a.yaml', text: whole }])
    for (let length = 0; length < whole.length; length += 7) {
      const state = model.update([{ path: 'a.yaml', text: whole.slice(0, length) }])
      for (const document of state.documents) expect(document.metadata.name).toMatch(/^(one|two|three)$/)
    }
    // cut inside the second document: what it and the rest are meant to be cannot be told
    const cut = whole.indexOf('two') + 10
    expect(Object.keys(ports(model.update([{ path: 'b.yaml', text: whole }])))).toEqual(['one', 'two', 'three'])
    const state = model.update([{ path: 'b.yaml', text: whole.slice(0, cut) }])
    expect(Object.keys(ports(state)).toSorted()).toEqual(['one', 'three', 'two'])
  })

  it('keeps what an emptied or unreadable file had, and says so', () => {
    const model = new Model()
    model.update([file('a.yaml', service('one'))])
    const emptied = model.update([{ path: 'a.yaml', text: '' }])
    expect([Object.keys(ports(emptied)), emptied.problems.map((one) => one.code)]).toEqual([['one'], ['HDL002']])
    const unreadable = model.update([{ path: 'a.yaml', error: 'EACCES: permission denied' }])
    expect([Object.keys(ports(unreadable)), unreadable.problems.map((one) => one.code)]).toEqual([['one'], ['HDL001']])
  })

  it('removes the documents of a removed file, and removed documents of a file', () => {
    const model = new Model()
    model.update([file('a.yaml', service('one'), service('two')), file('b.yaml', service('three'))])
    expect(Object.keys(ports(model.update([file('a.yaml', service('one'))])))).toEqual(['one'])
    expect(model.update([]).documents).toEqual([])
  })

  it('lets a document move to another file while its old one is broken', () => {
    const model = new Model()
    model.update([file('a.yaml', service('one', 1))])
    const state = model.update([{ path: 'a.yaml', text: '{' }, file('b.yaml', service('one', 2))])
    expect(ports(state)).toEqual({ one: 2 })
    expect(state.problems.map((one) => one.code)).toEqual(['HDL002'])
  })

  it('keeps the first of two documents of one name', () => {
    const state = new Model().update([file('a.yaml', service('one', 1)), file('b.yaml', service('one', 2))])
    expect(ports(state)).toEqual({ one: 1 })
    expect(state.problems).toMatchObject([{ code: 'HDL007', position: { file: 'b.yaml', line: 3 } }])
  })

  it('parses nothing again that did not change', () => {
    const model = new Model()
    const a = file('a.yaml', service('one'), service('two'))
    const before = model.update([a]).documents
    expect(model.update([{ ...a }]).documents[0]).toBe(before[0])
    const after = model.update([file('a.yaml', service('zero'), service('one'), service('two'))]).documents
    expect(after.map((one) => one.name)).toEqual(['zero', 'one', 'two'])
    expect(after[2]?.spec).toBe(before[1]?.spec)
    expect(after[2]?.position.line).toBe(11)
  })
})

describe('a document', () => {
  const [document] = new Model().update([
    {
      path: 'dir/w.yaml',
      folder: '/srv/dir',
      text: 'apiVersion: heddle.dev/v1alpha1\nkind: Workload\nmetadata:\n  name: w\nspec:\n  ports:\n    - port: 1\n',
    },
  ]).documents

  it('has every default, and prints them', () => {
    if (document === undefined) throw new Error('no document')
    expect(toManifest(document)).toEqual({
      apiVersion: 'heddle.dev/v1alpha1',
      kind: 'Workload',
      metadata: { name: 'w', namespace: 'default', labels: {}, annotations: {} },
      spec: { serviceAccount: 'default', address: '127.0.0.1', ports: [{ port: 1 }], env: {}, weight: 1, uses: [] },
    })
    expect(document.folder).toBe('/srv/dir')
  })

  it('prints nothing of what a Secret holds', () => {
    const text = 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {password: aHVudGVyMg==}\n'
    const [secret] = new Model().update([{ path: 's.yaml', text }]).documents
    if (secret === undefined) throw new Error('no document')
    expect(JSON.stringify(toManifest(secret))).not.toContain('aHVudGVyMg==')
  })

  it('places a problem at a field', () => {
    if (document === undefined) throw new Error('no document')
    expect(documentProblem(document, 'HDL011', 'error', ['spec', 'ports', 0, 'port'], 'taken')).toEqual({
      code: 'HDL011',
      severity: 'error',
      message: 'taken',
      position: { file: 'dir/w.yaml', line: 7, column: 13 },
      document: 'Workload/default/w',
      path: 'spec.ports[0].port',
    })
  })
})
