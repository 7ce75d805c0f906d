import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { FilterHandlers } from '../../contracts/filter.ts'
import { DeadlineList } from '../../core/deadline-list.ts'
import { silentLogger } from '../../core/logger.ts'
import { failed, RunningFilter, silentMeter } from './running-filter.runtime.ts'
import type { TypescriptFilterSpec } from './typescript-filter.spec.ts'

const spec: TypescriptFilterSpec = {
  name: 'Filter/default/tried',
  source: { document: 'Filter/default/tried' },
  code: '',
  sha256: '',
  config: {},
  timeBudgetMs: 5,
  onError: 'Continue',
  maxBodyBytes: 10,
}

function start(changes: Partial<TypescriptFilterSpec> = {}, handlers: FilterHandlers | undefined = {}) {
  const clock = new ManualClock()
  let elapsedMs = 0
  const said: string[] = []
  const logged: object[] = []
  const filter = new RunningFilter({ ...spec, ...changes }, handlers, {
    clock,
    stopwatch: () => elapsedMs,
    deadlines: new DeadlineList(clock),
    logger: { ...silentLogger, warn: (_, fields) => logged.push(fields ?? {}) },
    meter: {
      ...silentMeter,
      called: (phase, durationMs) => said.push(`${phase} ${durationMs}`),
      failed: (phase, failure) => said.push(`${phase} ${failure}`),
      bypassed: (is) => said.push(is ? 'bypassed' : 'back'),
    },
  })
  const take = (ms: number): void => {
    elapsedMs += ms
  }
  return { clock, filter, said, logged, take }
}

function fail(): never {
  throw new Error('boom')
}

describe('a running filter', () => {
  it('times a call, and gives what it gave', () => {
    const { filter, said, take } = start()
    const result = filter.call('request', () => {
      take(2)
      return 'given'
    })
    expect(result).toBe('given')
    expect(said).toEqual(['request 2'])
  })

  it('counts a call that blocked for longer than its budget, and takes what it gave', () => {
    const { filter, said, take } = start()
    const result = filter.call('request', () => {
      take(6)
      return 'late'
    })
    expect(result).toBe('late')
    expect(said).toEqual(['request 6', 'request late'])
  })

  it('gives up a promise that is not kept within the budget', async () => {
    const { clock, filter, said, take } = start()
    const late = Promise.withResolvers<string>()
    const result = filter.call('response', () => late.promise)
    clock.advance(4)
    take(5)
    clock.advance(1)
    expect(await result).toBe(failed)
    late.resolve('too late')
    await late.promise
    expect(said).toEqual(['response 5', 'response timeout'])
  })

  it('takes what a promise in time gives', async () => {
    const { clock, filter, said } = start()
    const result = filter.call('request', async () => 'kept')
    expect(await result).toBe('kept')
    clock.advance(100)
    expect(said).toEqual(['request 0'])
  })

  it('survives what is thrown, at once or later, and logs it once in a while', async () => {
    const { clock, filter, said, logged } = start()
    expect(filter.call('request', fail)).toBe(failed)
    expect(await filter.call('request', async () => fail())).toBe(failed)
    expect(said).toEqual(['request 0', 'request error', 'request 0', 'request error'])
    expect(logged).toEqual([expect.objectContaining({ filter: spec.name, failure: 'error', error: 'boom' })])
    clock.advance(10_000)
    void filter.call('request', fail)
    expect(logged).toHaveLength(2)
  })

  it('is left alone for ten seconds after twenty failures in a row, and tried again', () => {
    const { clock, filter, said } = start()
    for (let i = 0; i < 19; i++) void filter.call('request', fail)
    void filter.call('request', () => 'well')
    for (let i = 0; i < 20; i++) void filter.call('request', fail)
    expect(said.at(-1)).toBe('bypassed')
    let calls = 0
    expect(filter.call('request', () => calls++)).toBe(failed)
    clock.advance(9_999)
    expect(filter.call('request', () => calls++)).toBe(failed)
    expect(said.at(-1)).toBe('request bypassed')
    expect(calls).toBe(0)
    clock.advance(1)
    said.length = 0
    void filter.call('request', fail)
    expect(said).toEqual(['back', 'request 0', 'request error', 'bypassed'])
    clock.advance(10_000)
    expect(filter.call('request', () => 'well')).toBe('well')
    expect(filter.call('request', fail)).toBe(failed)
    expect(said.at(-1)).toBe('request error')
  })

  it('is never passed by where it says Refuse', () => {
    const { filter, said } = start({ onError: 'Refuse' })
    for (let i = 0; i < 100; i++)
      void filter.call('request', () => {
        throw new Error('boom')
      })
    expect(said).not.toContain('bypassed')
    expect(filter.call('request', () => 'well')).toBe('well')
  })

  it('fails every call when it could not be loaded', () => {
    const clock = new ManualClock()
    const deps = { clock, stopwatch: () => 0, deadlines: new DeadlineList(clock), logger: silentLogger }
    const filter = new RunningFilter(spec, undefined, { ...deps, meter: silentMeter })
    expect(Object.keys(filter.handlers)).toEqual(['onRequest'])
    expect(filter.call('request', () => 'given')).toBe(failed)
  })
})
