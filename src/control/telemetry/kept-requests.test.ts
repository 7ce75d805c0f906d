import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { sampleRecord } from '../../../test/kit/sample-record.ts'
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import { KeptRequests } from './kept-requests.ts'

function hop(requestId?: string, traceId?: string, id = 'one'): DecisionRecord {
  const { request } = sampleRecord()
  const headers = requestId === undefined ? {} : { 'x-request-id': requestId }
  return sampleRecord({
    id,
    request: { ...request, headers },
    ...(traceId !== undefined && { trace: { traceId, spanId: 'b'.repeat(16) } }),
  })
}

describe('kept requests', () => {
  it('join hops by request id, by trace id, and by a hop that has both', () => {
    const kept = new KeptRequests()
    kept.add(hop('r1'))
    kept.add(hop(undefined, 't1'))
    kept.add(hop('r2'))
    expect(kept.list()).toHaveLength(3)
    kept.add(hop('r1', 't1', 'both'))
    expect(kept.list().map(({ id, records }) => [id, records.length])).toEqual([
      ['r2', 1],
      ['r1', 3],
    ])
    for (const id of ['r1', 't1']) expect(kept.find(id)?.records).toHaveLength(3)
    expect(kept.find('nobody')).toBeUndefined()
  })

  it('know the trace that an application has begun, though the mesh has no tracing', () => {
    const kept = new KeptRequests()
    const traceId = 'c'.repeat(32)
    const { request } = sampleRecord()
    kept.add(sampleRecord({ request: { ...request, headers: { traceparent: `00-${traceId}-${'d'.repeat(16)}-01` } } }))
    expect(kept.find(traceId)?.records).toHaveLength(1)
  })

  it('can be asked for where they have no id of their own', () => {
    const kept = new KeptRequests()
    kept.add(hop())
    const [request] = kept.list()
    expect(kept.find(request?.id ?? '')).toBe(request)
  })

  it('take further hops of themselves, each once, and none of others', () => {
    const kept = new KeptRequests()
    kept.complete(hop('r1'))
    expect(kept.list()).toEqual([])
    kept.add(hop('r1'))
    kept.complete(hop('r1', undefined, 'two'))
    kept.complete(hop('r1', undefined, 'two'))
    kept.add(hop('r1'))
    expect(kept.find('r1')?.records.map(({ id }) => id)).toEqual(['one', 'two'])
  })

  it('of a caller that gives all of them one id are several', () => {
    const kept = new KeptRequests()
    for (let one = 0; one < 1_000; one++) kept.add(hop('same', undefined, `hop-${one}`))
    expect(kept.list().map(({ records }) => records.length)).toEqual([232, 256, 256, 256])
    expect(kept.find('same')?.records).toHaveLength(232)
    const few = new KeptRequests({ mostRecords: 300 })
    for (let one = 0; one < 1_000; one++) few.add(hop('same', undefined, `hop-${one}`))
    expect(few.find('same')?.records).toHaveLength(232)
  })

  it('are the newest, and never more than there is room for', () => {
    const id = fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { nil: undefined })
    fc.assert(
      fc.property(fc.array(fc.tuple(id, id), { maxLength: 60 }), fc.integer({ min: 1, max: 20 }), (hops, most) => {
        const kept = new KeptRequests({ mostRecords: most })
        for (const [index, [requestId, traceId]] of hops.entries()) {
          kept.add(hop(requestId, traceId === undefined ? undefined : `trace ${traceId}`, String(index)))
          const records = kept.list().flatMap((request) => request.records)
          expect(records.length).toBeLessThanOrEqual(most)
          expect(new Set(records).size).toBe(records.length)
          for (const request of kept.list()) expect(kept.find(request.id)).toBe(request)
        }
      }),
    )
    const three = new KeptRequests({ mostRecords: 3 })
    for (const requestId of ['r1', 'r2', 'r3', 'r4', 'r5']) three.add(hop(requestId))
    expect(three.list().map((request) => request.id)).toEqual(['r5', 'r4', 'r3'])
    const { length } = JSON.stringify(hop('r1'))
    const kept = new KeptRequests({ mostCharacters: 3 * length })
    for (const requestId of ['r1', 'r2', 'r3', 'r4', 'r5']) kept.add(hop(requestId))
    expect(kept.list().map((request) => request.id)).toEqual(['r5', 'r4', 'r3'])
  })
})
