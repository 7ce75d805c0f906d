import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { FilterHandlers } from '../../contracts/filter.ts'
import type { FilteredBody, FilterResult } from '../../contracts/http-filter.ts'
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import { DeadlineList } from '../../core/deadline-list.ts'
import { HeaderList } from '../../core/header-list.ts'
import { silentLogger } from '../../core/logger.ts'
import { FilterPass } from './filter-pass.runtime.ts'
import { RunningFilter, silentMeter } from './running-filter.runtime.ts'
import type { TypescriptFilterSpec } from './typescript-filter.spec.ts'

const clock = new ManualClock()
const facts = { caller: { principal: 'spiffe://mesh.local/ns/default/sa/web', address: '10.0.0.1' }, claims: undefined }

function running(handlers: FilterHandlers, changes: Partial<TypescriptFilterSpec> = {}): RunningFilter {
  const spec: TypescriptFilterSpec = {
    name: 'Filter/default/tried',
    source: { document: 'Filter/default/tried' },
    code: '',
    sha256: '',
    config: {},
    timeBudgetMs: 5,
    onError: 'Continue',
    maxBodyBytes: 10,
    ...changes,
  }
  const deps = { clock, stopwatch: () => 0, deadlines: new DeadlineList(clock), logger: silentLogger }
  return new RunningFilter(spec, handlers, { ...deps, meter: silentMeter })
}

function head(headers: Readonly<Record<string, string>> = {}): RequestHead {
  const lines = HeaderList.of(...Object.entries(headers))
  return { method: 'POST', scheme: 'http', authority: 'reviews', path: '/a?b', headers: lines }
}

function response(headers: Readonly<Record<string, string>> = {}): ResponseHead {
  return { status: 200, headers: HeaderList.of(...Object.entries(headers)) }
}

function body(text: string): FilteredBody & { readonly text: string } {
  let bytes: Uint8Array = Buffer.from(text)
  return {
    declaredBytes: undefined,
    // as soon as there is so much: whether more follows is not known then
    gather: async (wanted) => ({ bytes: bytes.subarray(0, wanted), complete: bytes.length < wanted }),
    replace: (other) => {
      bytes = other
    },
    get text() {
      return Buffer.from(bytes).toString()
    },
  }
}

function shown(result: FilterResult): unknown {
  return result === undefined ? undefined : { ...result, body: result.body && Buffer.from(result.body).toString() }
}

function mark(name: string): FilterHandlers {
  return { onResponse: (one) => one.headers.append('x-passed', name) }
}

function passed(...filters: readonly RunningFilter[]): FilterPass {
  const pass = new FilterPass(facts)
  for (const filter of filters) void pass.passRequest(filter, head(), undefined)
  return pass
}

describe('a request on its way through filters', () => {
  it('becomes what each makes of it, at once where nobody waits', () => {
    const pass = new FilterPass(facts)
    const request = head({ 'x-old': '1' })
    const first = running({
      onRequest(one, context) {
        one.headers.set('x-caller', context.caller.principal ?? '')
        one.headers.delete('X-Old')
        one.path = '/c'
      },
    })
    const second = running({ onRequest: (one) => one.headers.append('x-path', one.path) })
    expect(pass.passRequest(first, request, undefined)).toBeUndefined()
    expect(pass.passRequest(second, request, undefined)).toBeUndefined()
    expect([...request.headers]).toEqual([
      ['x-caller', facts.caller.principal],
      ['x-path', '/c'],
    ])
    expect(request.path).toBe('/c')
    expect(pass.records.map(({ did }) => did)).toEqual(['changed', 'changed'])
  })

  it('stays as it was where a filter fails half way', () => {
    const pass = new FilterPass(facts)
    const request = head({ 'x-old': '1' })
    const filter = running({
      onRequest(one) {
        one.headers.delete('x-old')
        throw new Error('boom')
      },
      onResponse: (one) => one.headers.set('x-seen', '1'),
    })
    expect(pass.passRequest(filter, request, undefined)).toBeUndefined()
    expect(request.headers.get('x-old')).toBe('1')
    // nor does what is half done see the response
    void pass.passHead(response())
    expect(pass.response?.headers.has('x-seen')).toBe(false)
    expect(pass.records).toEqual([{ filter: 'Filter/default/tried', phase: 'request', did: 'failed' }])
  })

  it('is refused where that filter says so', () => {
    const filter = running({ onRequest: () => Promise.reject(new Error('boom')) }, { onError: 'Refuse' })
    const result = new FilterPass(facts).passRequest(filter, head(), undefined)
    return expect(result).resolves.toEqual({
      status: 500,
      flags: [],
      detail: 'refused because of an error of a filter: Filter/default/tried says onError: Refuse',
    })
  })

  it('is not changed by who comes too late', async () => {
    const request = head()
    const late = Promise.withResolvers<void>()
    let outcome: unknown
    const filter = running({
      async onRequest(one) {
        await late.promise
        try {
          one.headers.set('x-late', '1')
        } catch (error) {
          outcome = error
        }
      },
    })
    const result = new FilterPass(facts).passRequest(filter, request, undefined)
    clock.advance(5)
    expect(await result).toBeUndefined()
    late.resolve()
    await new Promise((resolve) => setImmediate(resolve))
    expect(outcome).toBeInstanceOf(Error)
    expect(request.headers.has('x-late')).toBe(false)
  })

  it.each(['Content-Length', 'transfer-encoding', 'host', 'connection', 'a b', ''])(
    'keeps its framing: "%s" cannot be set',
    (name) => {
      const filter = running({ onRequest: (one) => one.headers.set(name, '1') }, { onError: 'Refuse' })
      expect(new FilterPass(facts).passRequest(filter, head(), undefined)).toMatchObject({ status: 500 })
    },
  )

  it.each(['', 'a', '/a b', '/ä', 'http://other/'])('keeps a path: "%s" is none', (path) => {
    const request = head()
    const filter = running({
      onRequest(one) {
        one.path = path
      },
    })
    void new FilterPass(facts).passRequest(filter, request, undefined)
    expect(request.path).toBe('/a?b')
  })

  it('ends with an answer, which only filters before it see', () => {
    const pass = new FilterPass(facts)
    void pass.passRequest(running({ ...mark('first'), onRequest: () => {} }), head(), undefined)
    const answer = { status: 401, headers: { 'www-authenticate': 'Bearer' }, body: 'who are you?' }
    const result = pass.passRequest(running({ ...mark('second'), onRequest: () => answer }), head(), undefined)
    expect(shown(result as FilterResult)).toEqual({
      status: 401,
      flags: [],
      detail: 'answered by Filter/default/tried',
      headers: ['content-type', 'text/plain; charset=utf-8', 'www-authenticate', 'Bearer'],
      body: 'who are you?',
    })
    void pass.passHead(response())
    expect(pass.response?.headers.get('x-passed')).toBe('first')
  })

  it.each([{ status: 99 }, { status: 101 }, { status: 600 }, { status: 200, headers: { 'content-length': '1' } }])(
    'does not take %j for an answer',
    (answer) => {
      const filter = running({ onRequest: () => answer })
      expect(new FilterPass(facts).passRequest(filter, head(), undefined)).toBeUndefined()
    },
  )

  it('shows its body whole, and sends what it is given in its place', async () => {
    const request = head({ 'content-length': '5' })
    const bytes = body('hello')
    const filter = running({ onRequestBody: (whole) => `${Buffer.from(whole).toString()} there` })
    expect(await new FilterPass(facts).passRequest(filter, request, bytes)).toBeUndefined()
    expect(bytes.text).toBe('hello there')
    expect(request.headers.get('content-length')).toBe('11')
  })

  it('passes with a body that is too long, unless the filter refuses', async () => {
    const seen: unknown[] = []
    const handlers: FilterHandlers = { onRequestBody: (whole) => void seen.push(whole) }
    const pass = (changes: Partial<TypescriptFilterSpec>) =>
      new FilterPass(facts).passRequest(running(handlers, changes), head(), body('01234567890'))
    expect(await pass({})).toBeUndefined()
    expect(await pass({ onError: 'Refuse' })).toMatchObject({ status: 413 })
    expect(seen).toEqual([])
    expect(await pass({ maxBodyBytes: 11 })).toBeUndefined()
    expect(seen).toHaveLength(1)
  })

  it('keeps messages of gRPC to itself', () => {
    const filter = running({ onRequestBody: () => 'other' })
    const request = head({ 'content-type': 'application/grpc+proto' })
    const bytes = body('frame')
    expect(new FilterPass(facts).passRequest(filter, request, bytes)).toBeUndefined()
    expect(bytes.text).toBe('frame')
  })
})

describe('a response on its way back', () => {
  it('passes the filters in the other order', async () => {
    const pass = passed(
      running(mark('first')),
      running({ onResponse: async (one) => one.headers.append('x-passed', 'second') }),
    )
    expect(await pass.passHead(response())).toBeUndefined()
    expect(pass.response?.headers.get('x-passed')).toBe('second, first')
  })

  it('gets another status, body and headers', async () => {
    const pass = passed(
      running({
        onResponse(one) {
          one.status = 203
        },
        onResponseBody(whole, one) {
          one.headers.set('x-length', String(whole.length))
          return 'other'
        },
      }),
    )
    void pass.passHead(response())
    expect(pass.wantedBytes).toBe(10)
    expect(Buffer.from((await pass.passBody(Buffer.from('one'))) as Uint8Array).toString()).toBe('other')
    expect(pass.response?.status).toBe(203)
    expect(pass.response?.headers.get('x-length')).toBe('3')
  })

  it('is not held back where the filter does not want its body', () => {
    const pass = passed(running({ onResponse: (one) => one.skipBody(), onResponseBody: () => 'other' }))
    void pass.passHead(response())
    expect(pass.wantedBytes).toBe(0)
  })

  it('is replaced by an answer, with 500 by a failure that must not pass', async () => {
    const pass = passed(running({ onResponseBody: () => ({ status: 304 }) }))
    void pass.passHead(response())
    expect(await pass.passBody(Buffer.from('one'))).toMatchObject({ status: 304 })
    const strict = passed(running({ onResponseBody: () => JSON.parse('{') as never }, { onError: 'Refuse' }))
    void strict.passHead(response())
    expect(await strict.passBody(Buffer.from('one'))).toMatchObject({ status: 500 })
    expect(strict.bodyTooLarge()).toBeUndefined()
    const tooLong = passed(running({ onResponseBody: () => {} }, { onError: 'Refuse' }))
    void tooLong.passHead(response())
    expect(tooLong.bodyTooLarge()).toMatchObject({ status: 500 })
  })

  it('finds what its filter kept of the request', () => {
    const pass = passed(
      running({
        onRequest: (_, context) => void (context.state['seen'] = 1),
        onResponse: (one, context) => one.headers.set('x-seen', String(context.state['seen'])),
      }),
    )
    void pass.passHead(response())
    expect(pass.response?.headers.get('x-seen')).toBe('1')
  })
})

describe('metadata', () => {
  it('is shared by filters, and bounded', () => {
    const pass = new FilterPass(facts)
    const first = running({
      onRequest(_, { metadata }) {
        metadata.set('tenant', 'acme')
        metadata.set('long', 'x'.repeat(1000))
        for (let i = 0; i < 100; i++) metadata.set(`n${i}`, i)
      },
    })
    const request = head()
    const second = running({ onRequest: (one, { metadata }) => one.headers.set('x-t', String(metadata.get('tenant'))) })
    void pass.passRequest(first, request, undefined)
    void pass.passRequest(second, request, undefined)
    expect(request.headers.get('x-t')).toBe('acme')
    expect(Object.keys(pass.metadata ?? {})).toHaveLength(32)
    expect(pass.metadata?.['long']).toHaveLength(256)
  })
})
