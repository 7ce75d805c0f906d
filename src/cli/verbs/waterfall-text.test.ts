import pico from 'picocolors'
import { describe, expect, it } from 'vitest'

import { sampleRecord } from '../../../test/kit/sample-record.ts'
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import type { RequestView } from '../../contracts/read-api.ts'
import { printable } from '../printable-text.ts'
import { waterfallText } from './waterfall-text.ts'

const record = sampleRecord()
const retried: DecisionRecord = sampleRecord({
  durationMs: 30,
  attempts: [
    {
      endpoint: '10.0.0.1:1',
      workload: 'default/reviews-v1',
      outcome: 'reset',
      startMs: 0,
      durationMs: 10,
      retriedBecause: 'reset',
    },
    {
      endpoint: '10.0.0.2:1',
      workload: 'default/reviews-v2',
      outcome: 'response',
      status: 200,
      startMs: 15,
      durationMs: 15,
    },
  ],
})

function view(...records: readonly DecisionRecord[]): RequestView {
  return {
    id: 'r1',
    startMs: 1_700_000_000_000,
    durationMs: 40,
    source: 'default/web',
    service: 'reviews.default.svc.cluster.local',
    method: 'GET',
    authority: 'reviews:9080',
    path: records[0]?.request.path ?? '',
    status: 200,
    flags: [],
    hops: records.length,
    requestIds: ['r1'],
    traceIds: [],
    waterfall: records.map((one, depth) => ({ depth, offsetMs: depth * 10, record: one })),
  }
}

function drawn(request: RequestView, isUnicode = true, width?: number): string {
  const style = { colors: pico.createColors(false), isUnicode, text: (text: string) => printable(text, isUnicode) }
  return waterfallText(request, style, width)
}

describe('a request in the terminal', () => {
  it('has its attempts, and why another followed', () => {
    expect(drawn(view(retried)).split('\n').slice(3)).toEqual([
      '  0.00ms   30.0ms ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇        default/web → default/reviews-v1 200',
      '                                              route HTTPRoute/default/reviews/0 (mesh.yaml:12)',
      '                                              attempt 1 after 0.00ms: default/reviews-v1 at 10.0.0.1:1: reset in 10.0ms, tried again because of reset',
      '                                              attempt 2 after 15.0ms: default/reviews-v2 at 10.0.0.2:1: 200 in 15.0ms',
      '',
    ])
  })

  it('is shown and never obeyed, whatever a caller wrote', () => {
    const path = '/\u001B[2J\u009B31m\u202Eevil\n\u0007'
    const hostile = { ...record, request: { ...record.request, path }, route: path, destination: { workload: path } }
    // oxlint-disable-next-line no-control-regex -- what must not be there
    expect(drawn(view(hostile, hostile))).not.toMatch(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u202E]/)
  })

  it('goes without bars where there is no room, and in ASCII where the terminal has no more', () => {
    expect(drawn(view(record, record), true, 79)).not.toContain('▇')
    // oxlint-disable-next-line no-control-regex -- what must not be there
    expect(drawn(view(record, record), false)).toMatch(/^[\u0000-\u007F]*$/)
  })
})
