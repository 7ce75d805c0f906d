import { createHash } from 'node:crypto'

import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { FilteredRequest } from '../../contracts/http-filter.ts'
import { DeadlineList } from '../../core/deadline-list.ts'
import { HeaderList } from '../../core/header-list.ts'
import { silentLogger } from '../../core/logger.ts'
import { silentMeter } from '../../policies/typescript-filter/running-filter.runtime.ts'
import type { TypescriptFilterSpec } from '../../policies/typescript-filter/typescript-filter.spec.ts'
import { TypescriptFilters } from './typescript-filters.ts'

const counting = `export default () => {
  let count = 0
  return { onRequest: (request) => request.headers.set('x-count', String(++count)) }
}`

function spec(changes: Partial<TypescriptFilterSpec> = {}): TypescriptFilterSpec {
  const code = changes.code ?? counting
  return {
    name: 'Filter/default/tried',
    source: { document: 'Filter/default/tried' },
    code,
    sha256: createHash('sha256').update(code).digest('hex'),
    config: {},
    timeBudgetMs: 5,
    onError: 'Continue',
    maxBodyBytes: 10,
    ...changes,
  }
}

function start() {
  const clock = new ManualClock()
  const logged: string[] = []
  const logger = { ...silentLogger, error: (message: string) => logged.push(message) }
  const deps = { clock, stopwatch: () => 0, deadlines: new DeadlineList(clock), logger, meterOf: () => silentMeter }
  const filters = new TypescriptFilters(deps)
  const ask = (one: TypescriptFilterSpec, path = '/a?b'): FilteredRequest & { readonly answer: unknown } => {
    const request = {
      head: { method: 'GET', scheme: 'http' as const, authority: 'a', path, headers: new HeaderList() },
      path: '/a',
      peer: { principal: 'spiffe://a', address: '10.0.0.1', remoteAddress: '10.0.0.2' },
      token: { claims: { org: 'acme' } },
    } as unknown as FilteredRequest
    const answer = filters.of(one).apply(request)
    return { ...request, answer }
  }
  return { filters, ask, logged }
}

describe('the filters of a proxy', () => {
  it('keep what they keep in memory while only something else changes', () => {
    const { ask } = start()
    const count = (one: TypescriptFilterSpec): string | undefined => ask(one).head.headers.get('x-count')
    expect(count(spec())).toBe('1')
    // another object, as of a route configuration that has come anew
    expect(count(spec({ source: { document: 'Filter/default/tried', file: 'moved.yaml' } }))).toBe('2')
    expect(count(spec({ config: { a: 1 } }))).toBe('1')
    expect(count(spec({ name: 'Filter/default/other' }))).toBe('1')
    expect(count(spec())).toBe('3')
  })

  it('are those of one proxy', () => {
    start().ask(spec())
    expect(start().ask(spec()).head.headers.get('x-count')).toBe('1')
  })

  it('know the caller and the claims, and give the path that others see', () => {
    const code = `export default { onRequest(request, { caller, claims }) {
      request.path = '/' + [caller.principal, caller.address, claims.org].join('|') + '?c'
    } }`
    const { head, path } = start().ask(spec({ code }))
    expect(head.path).toBe('/spiffe://a|10.0.0.2|acme?c')
    expect(path).toBe('/spiffe://a|10.0.0.2|acme')
  })

  it('fail as they say where their code cannot be loaded', () => {
    const code = 'throw new Error("no such luck")'
    const { ask, logged } = start()
    expect(ask(spec({ code })).answer).toBeUndefined()
    expect(ask(spec({ code, onError: 'Refuse' })).answer).toMatchObject({ status: 500 })
    expect(logged).toEqual(['filter cannot be loaded', 'filter cannot be loaded'])
  })
})
