import { describe, expect, it } from 'vitest'

import type { FilteredRequest, FilterRefusal, HttpFilter } from '../../contracts/http-filter.ts'
import { HeaderList } from '../../core/header-list.ts'
import type { DocumentFilterConfig } from '../runtime/runtime-config.ts'
import { type HttpFilterDeps, HttpFilters, runFilters } from './http-filters.ts'

const peer = {
  principal: undefined,
  address: '127.0.0.1',
  port: 40_000,
  remoteAddress: '127.0.0.1',
  localAddress: '127.0.0.1',
  localPort: 80,
  sni: undefined,
}
const refusal: FilterRefusal = { status: 401, flags: [], detail: 'no' }

const nothing = { set: [], add: [], remove: [] }
const compression: DocumentFilterConfig = {
  kind: 'compression',
  spec: { codings: [{ coding: 'gzip', level: 1 }], contentTypes: ['text/plain'], minContentLengthBytes: 1 },
}

function setting(value: string): DocumentFilterConfig {
  const response = { ...nothing, set: [{ name: 'x-by', value }] }
  return { kind: 'transformation', spec: { request: nothing, response } }
}

function request(): FilteredRequest {
  const head = { method: 'GET', scheme: 'http', authority: 'a', path: '/', headers: new HeaderList() } as const
  return { head, path: '/', peer, body: undefined, token: undefined, authorization: undefined }
}

function filter(name: string, apply: HttpFilter['apply'], passed: string[]): HttpFilter {
  return {
    name,
    apply(one) {
      passed.push(name)
      return apply(one)
    },
  }
}

function run(filters: readonly HttpFilter[], errors: unknown[] = []): ReturnType<typeof runFilters> {
  return runFilters(filters, request(), (error) => errors.push(error))
}

const pass = (): undefined => undefined

describe('HTTP filters', () => {
  it('of a route are built once, and see a response in the other order', () => {
    const filters = new HttpFilters({} as HttpFilterDeps)
    const configs = [setting('first, %RESP(x-by)%'), setting('second'), compression]
    const built = filters.ofRoute(configs)
    expect(filters.ofRoute(configs)).toBe(built)
    const response = { status: 200, headers: new HeaderList() }
    for (const { respond } of built.responders) respond?.(request(), response)
    expect([...response.headers]).toEqual([['x-by', 'first, second']])
    expect([built.filters.length, built.compressors.length]).toEqual([2, 1])
  })

  it('are passed in order, without a promise where none waits', () => {
    const passed: string[] = []
    expect(run([filter('a', pass, passed), filter('b', pass, passed)])).toBeUndefined()
    expect(passed).toEqual(['a', 'b'])
  })

  it('end with the first that refuses', () => {
    const passed: string[] = []
    expect(run([filter('a', () => refusal, passed), filter('b', () => undefined, passed)])).toBe(refusal)
    expect(passed).toEqual(['a'])
  })

  it('wait for one that has to, and go on behind it', async () => {
    const passed: string[] = []
    const result = run([
      filter('a', () => Promise.resolve(undefined), passed),
      filter('b', () => Promise.resolve(refusal), passed),
      filter('c', () => undefined, passed),
    ])
    expect(result).toBeInstanceOf(Promise)
    expect(passed).toEqual(['a'])
    expect(await result).toBe(refusal)
    expect(passed).toEqual(['a', 'b'])
  })

  it.each([
    [
      'throws',
      () => () => {
        throw new Error('broken')
      },
    ],
    ['rejects', () => () => Promise.reject(new Error('broken'))],
  ] as const)('refuse where one %s', async (_, apply) => {
    const errors: unknown[] = []
    const result = await run([{ name: 'a', apply: apply() }], errors)
    expect(result).toMatchObject({ status: 403, flags: ['UAEX'] })
    expect(errors).toHaveLength(1)
  })
})
