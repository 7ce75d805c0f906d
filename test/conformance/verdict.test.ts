// The verdicts themselves: a runner that never complains proves nothing.
import { describe, expect, it } from 'vitest'

import type { Echo } from '../kit/echo-server.ts'
import type { SuiteCase, SuiteExpectation } from './suite.ts'
import { complaints, distributionComplaints } from './verdict.ts'

const from = { pod: 'echo-v1', namespace: 'mesh' }
const url = new URL('http://echo/set?a=1')

function caseOf(expectation: SuiteExpectation): SuiteCase {
  return { from, request: { protocol: 'http', host: 'echo', method: 'GET', path: '/set?a=1' }, expect: expectation }
}

function answer(
  echo: Partial<Echo>,
  headers: Record<string, string> = {},
): { status: number; headers: Record<string, string>; body: string } {
  const whole: Echo = {
    pod: 'echo-v1',
    namespace: 'mesh',
    method: 'GET',
    path: '/set?a=1',
    host: 'echo',
    headers: {},
    bodyBytes: 0,
    ...echo,
  }
  return { status: 200, headers, body: JSON.stringify(whole) }
}

describe('verdict of a case', () => {
  const plain = caseOf({ status: [200], backend: 'echo-v1', backendNamespace: 'mesh' })

  it('has nothing to say about the right answer', () => {
    expect(complaints(plain, url, 'echo', answer({}))).toEqual([])
  })

  it.each([
    ['another backend', { pod: 'echo-v2' }],
    ['another namespace', { namespace: 'other' }],
    ['a changed path', { path: '/' }],
    ['a changed method', { method: 'POST' }],
    ['a changed host', { host: 'echo-v1' }],
  ])('notices %s', (_, echo) => {
    expect(complaints(plain, url, 'echo', answer(echo))).toHaveLength(1)
  })

  it('notices the wrong status', () => {
    expect(complaints(plain, url, 'echo', { status: 503, headers: {}, body: 'no' })).toEqual([
      'status 503 instead of 200: no',
    ])
  })

  it('joins repeated headers and compares names without case', () => {
    const wanted = caseOf({ status: [200], backendRequest: { headers: { 'X-Add': 'a,b' }, absentHeaders: ['X-Gone'] } })
    expect(complaints(wanted, url, 'echo', answer({ headers: { 'x-add': ['a', 'b'] } }))).toEqual([])
    expect(complaints(wanted, url, 'echo', answer({ headers: { 'x-add': ['b'], 'x-gone': ['1'] } }))).toHaveLength(2)
  })

  it('compares response headers', () => {
    const wanted = caseOf({ status: [200], response: { headers: { 'X-Set': 'v' }, absentHeaders: ['X-Gone'] } })
    expect(complaints(wanted, url, 'echo', answer({}, { 'x-set': 'v' }))).toEqual([])
    expect(complaints(wanted, url, 'echo', answer({}, { 'x-gone': 'v' }))).toHaveLength(2)
  })
})

describe('verdict of a redirect', () => {
  const asked = new URL('http://echo/old')
  const judge = (redirect: NonNullable<SuiteExpectation['redirect']>, location: string): string[] =>
    complaints(caseOf({ status: [302], redirect }), asked, 'echo', { status: 302, headers: { location }, body: '' })

  it('keeps what the case does not state', () => {
    expect(judge({ host: 'example.org' }, 'http://example.org/old')).toEqual([])
    expect(judge({ host: 'example.org' }, 'http://example.org:80/old')).toEqual([])
    expect(judge({ host: 'example.org' }, 'http://example.org/')).toHaveLength(1)
  })

  it('compares scheme, port and path', () => {
    expect(judge({ scheme: 'https' }, 'https://echo/old')).toEqual([])
    expect(judge({ scheme: 'https' }, 'https://echo:80/old')).toHaveLength(1)
    expect(judge({ port: '8083' }, 'http://echo:8083/old')).toEqual([])
    expect(judge({ port: '8083' }, 'http://echo/old')).toHaveLength(1)
    expect(judge({ path: '/new' }, 'http://echo/new')).toEqual([])
    expect(judge({ path: '/new' }, '/new')).toHaveLength(1)
  })
})

describe('verdict of a distribution', () => {
  const wanted = { requests: 500, toleranceAbs: 0.05, maxAttempts: 10, weights: { 'echo-v1': 0.7, 'echo-v2': 0.3 } }

  it('tolerates five hundredths and nobody else', () => {
    expect(
      distributionComplaints(
        wanted,
        new Map([
          ['echo-v1', 370],
          ['echo-v2', 130],
        ]),
      ),
    ).toEqual([])
    expect(
      distributionComplaints(
        wanted,
        new Map([
          ['echo-v1', 400],
          ['echo-v2', 100],
        ]),
      ),
    ).toHaveLength(2)
    expect(
      distributionComplaints(
        wanted,
        new Map([
          ['echo-v1', 349],
          ['echo-v2', 150],
          ['echo-v3', 1],
        ]),
      ),
    ).toHaveLength(1)
  })
})
