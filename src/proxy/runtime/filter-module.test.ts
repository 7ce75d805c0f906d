import { createHash } from 'node:crypto'

import { describe, expect, it } from 'vitest'

import type { TypescriptFilterSpec } from '../../policies/typescript-filter/typescript-filter.spec.ts'
import { loadFault, loadFilter } from './filter-module.ts'

function spec(code: string, config: TypescriptFilterSpec['config'] = {}): TypescriptFilterSpec {
  return {
    name: 'Filter/default/tried',
    source: { document: 'Filter/default/tried' },
    code,
    sha256: createHash('sha256').update(code).digest('hex'),
    config,
    timeBudgetMs: 5,
    onError: 'Continue',
    maxBodyBytes: 10,
  }
}

const counter = `let loads = 0
loads++
export default (config) => ({ onRequest: () => ({ status: 200, body: String(loads) + config.name }) })`

describe('the module of a filter', () => {
  it('is loaded once for a code, and made anew for each configuration', () => {
    const first = loadFilter(spec(counter, { name: 'a' }))
    const second = loadFilter(spec(counter, { name: 'b' }))
    expect(first.onRequest?.({} as never, {} as never)).toEqual({ status: 200, body: '1a' })
    expect(second.onRequest?.({} as never, {} as never)).toEqual({ status: 200, body: '1b' })
  })

  it('cannot change the configuration that others have', () => {
    const config = { list: [1] }
    loadFilter(spec('export default (config) => (config.list.push(2), { onRequest() {} })', config))
    expect(config.list).toEqual([1])
  })

  it('may be the handlers themselves, and compute with what Node has', () => {
    const code = `import { createHash } from 'node:crypto'
export default { onResponse: () => ({ status: 200, body: createHash('sha1').update('a').digest('hex') }) }`
    expect(loadFilter(spec(code)).onResponse?.({} as never, {} as never)).toMatchObject({
      body: '86f7e437faa5a7fce15d1ddcb9eaeaea377667b8',
    })
  })

  it('shows its document, line and column in stack traces', () => {
    const code = `export default {\n  onRequest() { throw new Error('a') } }`
    const { onRequest } = loadFilter(spec(code))
    try {
      void onRequest?.({} as never, {} as never)
      expect.unreachable()
    } catch (error) {
      expect((error as Error).stack).toMatch(/Filter\/default\/tried\.ts:2:23/)
    }
  })

  it.each([
    ["throw new Error('no such luck')", 'no such luck'],
    ['export const a = 1', 'no default export'],
    ['export default 1', 'must be an object of handlers'],
    ['export default async () => ({})', 'must be an object of handlers'],
    ['export default {}', 'it has none of onRequest'],
    ['export default { onRequest: 1 }', 'onRequest is not a function'],
    ["export default () => { throw new Error('bad config') }", 'bad config'],
    ['export default {', 'Unexpected end of input'],
    ['await 1; export default { onRequest() {} }', 'top-level await'],
    ["import './nothing.js'; export default { onRequest() {} }", 'nothing.js'],
  ])('is refused, and again the next time: %s', (code, reason) => {
    expect(loadFault(spec(code))).toEqual([expect.stringContaining(reason)])
    expect(loadFault(spec(code))).toEqual([expect.stringContaining(`Filter/default/tried: `)])
  })

  it('is refused where it is not what its hash is of', () => {
    expect(() => loadFilter({ ...spec(counter), sha256: 'a' })).toThrow('hash')
  })
})
