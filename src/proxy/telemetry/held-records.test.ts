import { describe, expect, it } from 'vitest'

import { immediately } from '../../../test/kit/immediately.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import { HeaderList } from '../../core/header-list.ts'
import { createRecordSink } from './decision-records.ts'
import type { Exchange } from './exchange.ts'
import { HeldRecords, HoldingLimit } from './held-records.ts'

function holding(perSecond?: number) {
  const clock = new ManualClock()
  const limit = new HoldingLimit(perSecond)
  const held = new HeldRecords(clock, limit)
  const sink = createRecordSink(
    { workload: 'default/web', spiffeId: 'spiffe://mesh.local/x' },
    clock,
    immediately,
    held,
  )
  const finish = (id: string, changes: Partial<Exchange> = {}): void => {
    const headers = HeaderList.of(['x-request-id', id])
    const startMonotonicMs = clock.monotonicMs() - sampleExchange().durationMs
    sink.finished(sampleExchange({ startMonotonicMs, request: { ...sampleExchange().request, headers }, ...changes }))
  }
  const take = (...ids: readonly string[]): string[] =>
    held.take(ids).map((packed) => (JSON.parse(packed) as DecisionRecord).request.headers['x-request-id'] ?? '')
  return { clock, limit, held, finish, take }
}

describe('held records', () => {
  it('are given once to whoever asks for their request, and nobody else is told', () => {
    const { finish, take } = holding()
    for (const id of ['a', 'b', 'a', 'c']) finish(id)
    expect(take('a', 'nobody')).toEqual(['a', 'a'])
    expect(take('a')).toEqual([])
    expect(take('b', 'c')).toEqual(['b', 'c'])
  })

  it('are not of requests whose decision records are muted', () => {
    const { finish, take } = holding()
    finish('a', { muted: { metrics: false, decisionRecords: true } })
    expect(take('a')).toEqual([])
  })

  it('are found by trace id, also by that of an application alone', () => {
    const { finish, held } = holding()
    const traceId = 'c'.repeat(32)
    const headers = HeaderList.of(['x-request-id', 'r1'], ['traceparent', `00-${traceId}-${'d'.repeat(16)}-00`])
    finish('', { request: { ...sampleExchange().request, headers } })
    expect(held.take([traceId])).toHaveLength(1)
  })

  it('are of the last ten seconds', () => {
    const { clock, finish, take, held } = holding()
    finish('old')
    clock.advance(6_000)
    finish('new')
    clock.advance(4_001)
    held.expire()
    expect(take('old', 'new')).toEqual(['new'])
  })

  it('are none of bytes, and none when nobody will ask', () => {
    const { finish, take, held } = holding()
    finish('bytes', { protocol: 'TCP' })
    finish('before')
    held.close()
    finish('after')
    expect(take('bytes', 'before', 'after')).toEqual([])
  })

  it('take no more room than they may', () => {
    const { finish, held } = holding()
    const path = `/${'x'.repeat(1_000)}`
    const { request } = sampleExchange()
    for (let one = 0; one < 4_000; one++)
      finish('same', { request: { ...request, path, headers: HeaderList.of(['x-request-id', 'same']) } })
    const characters = held.take(['same']).reduce((sum, packed) => sum + packed.length, 0)
    expect(characters).toBeGreaterThan(1024 * 1024)
    expect(characters).toBeLessThanOrEqual(4 * 1024 * 1024)
  })
})

describe('when there are many requests', () => {
  it('some are held, the same ones by proxies that know nothing of each other', () => {
    const [few, many] = [holding(400), holding(400)]
    const second = (number: number): void => {
      for (let one = 0; one < 1_000; one++) {
        few.finish(`request-${number}-${one}`)
        many.finish(`request-${number}-${one}`)
        for (let other = 0; other < 3; other++) many.finish(`other-${number}-${one}-${other}`)
      }
      few.clock.advance(1_000)
      many.clock.advance(1_000)
    }
    second(1)
    second(2)
    const ids = Array.from({ length: 1_000 }, (_, one) => `request-2-${one}`)
    const [ofFew, ofMany] = [new Set(few.take(...ids)), many.take(...ids)]
    expect(ofFew.size).toBeGreaterThan(350)
    expect(ofFew.size).toBeLessThan(450)
    expect(ofMany.length).toBeGreaterThan(70)
    expect(ofMany.length).toBeLessThan(130)
    expect(ofMany.filter((id) => !ofFew.has(id))).toEqual([])
  })

  it('none is held of very many, and all again when it is over', () => {
    const { clock, finish, take } = holding(10)
    for (let one = 0; one < 1_000; one++) finish('burst')
    clock.advance(1_000)
    finish('during')
    clock.advance(1_000)
    finish('after')
    expect(take('during', 'after')).toEqual(['after'])
  })

  it('never more are than twice what a second may hold, and all again when it is over', () => {
    const { clock, finish, take } = holding(100)
    for (let one = 0; one < 1_000; one++) finish('burst')
    expect(take('burst')).toHaveLength(200)
    clock.advance(2_000)
    for (let one = 0; one < 50; one++) finish(`after-${one}`)
    expect(take(...Array.from({ length: 50 }, (_, one) => `after-${one}`))).toHaveLength(50)
  })
})
