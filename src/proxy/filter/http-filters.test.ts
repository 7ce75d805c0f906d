import { describe, expect, it } from 'vitest'

import type { FilteredRequest, FilterRefusal, HttpFilter } from '../../contracts/http-filter.ts'
import { HeaderList } from '../../core/header-list.ts'
import { runFilters } from './http-filters.ts'

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
