// Which failed attempts are repeated.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import type { RequestHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import { createRandom } from '../../core/random.ts'
import { type AttemptOutcome, decideRetry, type RetryDecision } from './retries.runtime.ts'
import type { RetrySpec } from './retries.spec.ts'
import { parseRetryAfter } from './retry-after.runtime.ts'

const spec: RetrySpec = { attempts: 3, statusCodes: [503], backoffMs: 100 }
const random = createRandom(5)

function request(method: string, headers: Record<string, string> = {}): RequestHead {
  return { method, scheme: 'http', authority: 'a', path: '/', headers: HeaderList.of(...Object.entries(headers)) }
}

const get = request('GET')
const post = request('POST')
const keyedPost = request('POST', { 'Idempotency-Key': '1' })

function outcome(kind: AttemptOutcome['kind'], changes: Partial<AttemptOutcome> = {}): AttemptOutcome {
  const status = {
    'connect-failure': 503,
    refused: 503,
    unprocessed: 503,
    overloaded: 503,
    reset: 503,
    timeout: 504,
    'protocol-error': 502,
    response: 503,
  }[kind]
  const sentBytes = kind === 'connect-failure' ? 0 : 100
  return { kind, status, reusedConnection: false, sentBytes, elsewhere: true, responseStarted: false, ...changes }
}

function decided(
  retry: RetrySpec | undefined,
  head: RequestHead,
  attempt: AttemptOutcome,
  retriesDone = 0,
  bodyReplayable = true,
): RetryDecision {
  return decideRetry(retry, head, attempt, retriesDone, bodyReplayable, random)
}

const unlisted: RetrySpec = { ...spec, statusCodes: [] }
const stale = { reusedConnection: true }

describe('without a retry policy', () => {
  it.each([
    ['a POST that found no connection', post, outcome('connect-failure'), true],
    ['a POST that the peer refused', post, outcome('refused'), true],
    ['a POST that the peer could not hand on', post, outcome('unprocessed'), true],
    ['a POST that the peer has no time for', post, outcome('overloaded'), true],
    ['a GET that the only peer has no time for', get, outcome('overloaded', { elsewhere: false }), false],
    [
      'a POST on an idle connection closed before it was written',
      post,
      outcome('reset', { ...stale, sentBytes: 0 }),
      true,
    ],
    ['a POST on an idle connection closed after it was written', post, outcome('reset', stale), false],
    ['a POST with a key on such a connection', keyedPost, outcome('reset', stale), true],
    ['a GET on such a connection', get, outcome('reset', stale), true],
    [
      'a GET on such a connection after response bytes',
      get,
      outcome('reset', { ...stale, responseStarted: true }),
      false,
    ],
    ['a GET on a fresh connection', get, outcome('reset'), true],
    ['a GET on a fresh connection to the only endpoint', get, outcome('reset', { elsewhere: false }), false],
    ['a POST on a fresh connection', post, outcome('reset'), false],
    ['a GET that timed out', get, outcome('timeout'), false],
    ['a GET with a garbled response head', get, outcome('protocol-error'), false],
    ['a GET answered with 503', get, outcome('response'), true],
    ['a GET answered with 503 by the only endpoint', get, outcome('response', { elsewhere: false }), false],
    ['a GET answered with 500', get, outcome('response', { status: 500 }), false],
    ['a POST answered with 503', post, outcome('response'), false],
    ['a POST with a key answered with 503', keyedPost, outcome('response'), true],
  ] as const)('%s', (_, head, attempt, expected) => {
    expect(decided(undefined, head, attempt).retry).toBe(expected)
  })

  it('tries what was not processed twice more, the first time at once on a stale connection', () => {
    expect(decided(undefined, get, outcome('reset', stale), 0)).toMatchObject({ retry: true, delayMs: 0, free: true })
    const second = decided(undefined, get, outcome('reset', stale), 1)
    expect(second.retry && second.delayMs >= 25 && !second.free).toBe(true)
    expect(decided(undefined, get, outcome('reset', stale), 2)).toEqual({ retry: false, because: 'no attempts left' })
  })

  it('asks no budget for the first repeat of what a connection refused, unlike that of what a peer could not hand on', () => {
    expect(decided(undefined, post, outcome('refused'), 0)).toMatchObject({ retry: true, free: true })
    expect(decided(undefined, post, outcome('refused'), 1)).toMatchObject({ retry: true, free: false })
    expect(decided(undefined, post, outcome('unprocessed'), 0)).toMatchObject({ retry: true, free: false })
  })
})

describe('with a retry policy', () => {
  it.each([
    ['a GET with a listed status', spec, get, outcome('response'), true],
    ['a POST with a listed status: the route says so', spec, post, outcome('response'), true],
    ['a GET with another status', spec, get, outcome('response', { status: 500 }), false],
    ['a GET with a success', spec, get, outcome('response', { status: 200 }), false],
    ['a GET on a fresh connection', unlisted, get, outcome('reset'), true],
    ['a POST on a fresh connection', unlisted, post, outcome('reset'), false],
    ['a POST on a fresh connection, 503 being listed', spec, post, outcome('reset'), true],
    ['a GET that timed out', unlisted, get, outcome('timeout'), true],
    ['a POST that timed out', spec, post, outcome('timeout'), false],
    ['a PUT with a garbled response head', unlisted, request('PUT'), outcome('protocol-error'), true],
    ['a GET whose response had begun', spec, get, outcome('reset', { responseStarted: true }), false],
    ['a listed status read from the connection', spec, get, outcome('response', { responseStarted: true }), true],
  ] as const)('%s', (_, retry, head, attempt, expected) => {
    expect(decided(retry, head, attempt).retry).toBe(expected)
  })

  it('stops after the attempts it allows', () => {
    expect([0, 1, 2, 3].map((done) => decided(spec, get, outcome('response'), done).retry)).toEqual([
      true,
      true,
      true,
      false,
    ])
    const none = { ...spec, attempts: 0 }
    expect(decided(none, get, outcome('response')).retry).toBe(false)
    expect(decided(none, get, outcome('connect-failure')).retry).toBe(true)
  })

  it('says why', () => {
    expect(decided(spec, get, outcome('response'))).toMatchObject({ because: 'status 503' })
    expect(decided(spec, get, outcome('connect-failure'))).toMatchObject({ because: 'connect failure' })
    expect(decided(spec, get, outcome('response'), 0, false)).toEqual({
      retry: false,
      because: 'the body cannot be sent again',
    })
  })

  it('pauses at least as long as the policy says, and grows to eleven times of it at most', () => {
    fc.assert(
      fc.property(fc.nat(10), fc.integer(), (done, seed) => {
        const patient = { ...spec, attempts: 20 }
        const decision = decideRetry(patient, get, outcome('response'), done, true, createRandom(seed))
        const delayMs = decision.retry ? decision.delayMs : Number.NaN
        expect(delayMs).toBeGreaterThanOrEqual(100)
        expect(delayMs).toBeLessThanOrEqual(100 + Math.min(1000, 100 * 2 ** done))
      }),
    )
  })
})

describe('with a policy that lists gRPC statuses', () => {
  const unavailable: RetrySpec = { ...unlisted, grpcStatuses: [14] }
  const call = request('POST', { 'content-type': 'application/grpc+proto' })
  const answered = (grpcStatus: number): AttemptOutcome => outcome('response', { status: 200, grpcStatus })

  it.each([
    ['a listed status', unavailable, call, answered(14), true],
    ['another status', unavailable, call, answered(13), false],
    ['success', unavailable, call, answered(0), false],
    ['a status when none is listed', unlisted, call, answered(14), false],
    ['a status without a policy', undefined, call, answered(14), false],
    ['a reset, which is UNAVAILABLE to the caller', unavailable, call, outcome('reset'), true],
    ['a reset after response bytes', unavailable, call, outcome('reset', { responseStarted: true }), false],
    ['a reset of a request that is not gRPC', unavailable, post, outcome('reset'), false],
    ['a timeout, which is DEADLINE_EXCEEDED', unavailable, call, outcome('timeout'), false],
    ['a timeout when that is listed', { ...unlisted, grpcStatuses: [4] }, call, outcome('timeout'), true],
  ] as const)('%s', (_, retry, head, attempt, expected) => {
    expect(decided(retry, head, attempt).retry).toBe(expected)
  })

  it('repeats an unprocessed call without any policy', () => {
    expect(decided(undefined, call, outcome('refused')).retry).toBe(true)
  })
})

it('never repeats what may have been processed without a policy, unless it is idempotent', () => {
  for (const kind of ['reset', 'timeout', 'protocol-error', 'response'] as const)
    expect(decided(undefined, post, outcome(kind)).retry).toBe(false)
})

it('never repeats what may have been processed, a status listed by the route apart', () => {
  const kinds = ['connect-failure', 'refused', 'unprocessed', 'reset', 'timeout', 'protocol-error', 'response'] as const
  const attempts = fc.record({
    kind: fc.constantFrom(...kinds),
    status: fc.constantFrom(200, 500, 502, 503, 504),
    reusedConnection: fc.boolean(),
    elsewhere: fc.boolean(),
    sentBytes: fc.constantFrom(0, 100),
    responseStarted: fc.boolean(),
  })
  fc.assert(
    fc.property(attempts, (attempt) => {
      const decision = decided(unlisted, post, attempt)
      const untouched = ['connect-failure', 'refused', 'unprocessed'].includes(attempt.kind) || attempt.sentBytes === 0
      if (decision.retry) expect(untouched && !attempt.responseStarted).toBe(true)
    }),
  )
})

const asks = (status: number, retryAfterMs: number): AttemptOutcome => outcome('response', { status, retryAfterMs })
const delayOf = (decision: RetryDecision): number => (decision.retry ? decision.delayMs : Number.NaN)

describe('Retry-After', () => {
  const listed: RetrySpec = { ...spec, statusCodes: [429, 503] }

  it('is the least pause with a policy, whose own pause may be longer', () => {
    expect(delayOf(decided(listed, get, asks(503, 2_000)))).toBe(2_000)
    expect(delayOf(decided(listed, get, asks(429, 2_000)))).toBe(2_000)
    expect(delayOf(decided(listed, get, asks(503, 1)))).toBeGreaterThanOrEqual(100)
  })

  it('is not waited for by a retry that goes to another endpoint without a policy', () => {
    expect(delayOf(decided(undefined, get, asks(503, 2_000)))).toBeLessThan(100)
  })

  it('that is longer than anybody waits is the end', () => {
    expect(decided(listed, get, asks(503, 60_000))).toEqual({ retry: false, because: 'asked to wait too long' })
  })

  it.each([
    ['120', 120_000],
    ['0', 0],
    ['Thu, 01 Jan 1970 00:01:00 GMT', 50_000],
    ['Thu, 01 Jan 1970 00:00:05 GMT', 0],
    ['soon', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['2026', 2_026_000],
    ['Mon, nonsense', undefined],
  ])('%s ten seconds after the epoch is %s ms', (value, expected) => {
    expect(parseRetryAfter(value, 10_000)).toBe(expected)
  })
})
