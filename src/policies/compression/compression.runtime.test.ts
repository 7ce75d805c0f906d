import { describe, expect, it } from 'vitest'

import { HeaderList } from '../../core/header-list.ts'
import { chooseCoding, compileCompression } from './compression.runtime.ts'

const codings = [
  { coding: 'br', level: 4 },
  { coding: 'gzip', level: 6 },
] as const

const compressor = compileCompression({
  codings,
  contentTypes: ['text/html', 'application/json'],
  minContentLengthBytes: 100,
})

interface Asked {
  readonly method?: string
  readonly accept?: string | undefined
  readonly status?: number
  readonly length?: number | 'unknown'
  readonly request?: Record<string, string>
}

/** What becomes of a response with these headers: its coding, and its headers afterwards. */
function answered(
  headers: Record<string, string>,
  asked: Asked = {},
): readonly [string | undefined, Record<string, string>] {
  const { method = 'GET', status = 200, length = 1_000, request = {} } = asked
  const accept = 'accept' in asked ? asked.accept : 'gzip, br'
  const accepted = accept === undefined ? [] : [['accept-encoding', accept] as const]
  const head = {
    method,
    scheme: 'http',
    authority: 'a',
    path: '/',
    headers: HeaderList.of(...accepted, ...Object.entries(request)),
  } as const
  const response = { status, headers: HeaderList.of(...Object.entries({ 'content-type': 'text/html', ...headers })) }
  const coding = compressor.choose(head, response, length)?.coding
  return [coding, Object.fromEntries(response.headers)]
}

describe('which coding', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['GZIP;Q=0.5', 'gzip'],
    ['gzip, br', 'br'],
    ['gzip;q=1, br;q=0.9', 'gzip'],
    ['*', 'br'],
    ['br;q=0, *', 'gzip'],
    ['*;q=0', undefined],
    ['gzip;q=0', undefined],
    ['identity, gzip;q=0.5', undefined],
    ['identity;q=0.5, gzip;q=0.5', 'gzip'],
    ['identity;q=0, deflate', undefined],
    ['deflate, zstd', undefined],
    ['gzip;q=2, br;q=x', undefined],
    ['gzip;level=1, br', 'br'],
    [' br ; q=0.001 ', 'br'],
  ])('for Accept-Encoding: %s is %s', (accepted, coding) => {
    expect(chooseCoding(accepted, codings)?.coding).toBe(coding)
  })
})

describe('compression', () => {
  it('says what it does to a response', () => {
    const before = {
      'content-type': 'Text/HTML; charset=utf-8',
      'content-length': '1000',
      'accept-ranges': 'bytes',
      etag: '"abc"',
      vary: 'Origin',
    }
    expect(answered(before)).toEqual([
      'br',
      {
        'content-type': 'Text/HTML; charset=utf-8',
        'content-encoding': 'br',
        etag: 'W/"abc"',
        vary: 'Origin, Accept-Encoding',
      },
    ])
    expect(answered({ etag: 'W/"abc"' })[1]['etag']).toBe('W/"abc"')
  })

  it.each([{ length: 'unknown' as const }, { length: 100 }, { status: 404 }, { status: 500 }, { method: 'POST' }])(
    'takes %j',
    (asked) => expect(answered({}, asked)[0]).toBe('br'),
  )

  it.each([
    [{}, { length: 99 }],
    [{}, { length: 0 }],
    [{}, { status: 204 }],
    [{}, { status: 206 }],
    [{}, { status: 304 }],
    [{}, { status: 101 }],
    [{ 'content-type': 'image/png' }, {}],
    [{ 'content-type': 'text/htmlx' }, {}],
    [{ 'content-type': 'text/event-stream' }, {}],
    [{ 'content-type': 'application/grpc' }, {}],
    [{ 'content-encoding': 'gzip' }, {}],
    [{ 'content-range': 'bytes 0-1/2' }, {}],
    [{ 'cache-control': 'public, No-Transform' }, {}],
    [{ 'repr-digest': 'sha-256=:x:' }, {}],
  ])('leaves %j alone, asked %j', (headers, asked) => {
    expect(answered(headers, asked)).toEqual([undefined, { 'content-type': 'text/html', ...headers }])
  })

  it.each([
    [{ accept: undefined }],
    [{ accept: 'deflate' }],
    [{ method: 'HEAD' }],
    [{ request: { 'cache-control': 'no-transform' } }],
  ])('tells caches that others may get it compressed, asked %j', (asked) => {
    expect(answered({ etag: '"a"' }, asked)).toEqual([
      undefined,
      { 'content-type': 'text/html', etag: '"a"', vary: 'Accept-Encoding' },
    ])
  })

  it('does not repeat what Vary says', () => {
    for (const vary of ['accept-encoding', 'Origin, Accept-Encoding', '*'])
      expect(answered({ vary })[1]['vary']).toBe(vary)
  })

  it('takes identity for no coding', () => {
    expect(answered({ 'content-encoding': 'identity' })[0]).toBe('br')
  })
})
