// What is asked of Prometheus, what is made of its answers, and that nobody waits for one that does not answer.
import { describe, expect, it } from 'vitest'

import { PrometheusHistory } from './prometheus-history.ts'

const minute = { fromMs: 1_700_000_000_000, toMs: 1_700_000_120_000, stepMs: 60_000 }

function success(values: readonly (readonly [number, string])[] = []): string {
  const result = values.length === 0 ? [] : [{ metric: {}, values }]
  return JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } })
}

function history(answer: (query: string) => string | Promise<Response>) {
  const asked: URLSearchParams[] = []
  const targets: string[] = []
  const fetch = async (target: unknown, { body }: RequestInit = {}): Promise<Response> => {
    targets.push(String(target))
    asked.push(body as URLSearchParams)
    const said = answer((body as URLSearchParams).get('query') ?? '')
    return typeof said === 'string' ? new Response(said) : said
  }
  return {
    asked,
    targets,
    remembered: new PrometheusHistory({ url: 'http://prometheus.example:9090/', fetch }),
  }
}

describe('history from Prometheus', () => {
  it('is requests, failures and durations of each step', async () => {
    const { remembered, asked, targets } = history((query) => {
      if (query.includes('histogram_quantile(0.5,'))
        return success([
          [1_700_000_060, '0.003'],
          [1_700_000_120, 'NaN'],
        ])
      if (query.includes('histogram_quantile'))
        return success([
          [1_700_000_060, '0.25'],
          [1_700_000_120, 'NaN'],
        ])
      return success([
        [1_700_000_060, query.includes('5..') ? '0.5' : '10.01'],
        [1_700_000_120, '0'],
      ])
    })
    expect(
      await remembered.points({ ...minute, service: 'web.default.svc.cluster.local', workload: 'default/"x' }),
    ).toEqual([
      { startMs: 1_700_000_000_000, requests: 601, failed: 30, durationMs: { p50: 3, p90: 250, p95: 250, p99: 250 } },
      { startMs: 1_700_000_060_000, requests: 0, failed: 0 },
    ])
    expect(new Set(targets)).toEqual(new Set(['http://prometheus.example:9090/api/v1/query_range']))
    const [requests] = asked
    expect([requests?.get('start'), requests?.get('end'), requests?.get('step')]).toEqual([
      '1700000060',
      '1700000120',
      '60',
    ])
    expect(requests?.get('query')).toBe(
      'sum((rate(heddle_requests_total{reporter!="destination",destination_service="web.default.svc.cluster.local",destination_workload="default/\\"x"}[60s])' +
        ' or rate(heddle_requests_total{reporter="destination",source_principal="unknown",destination_service="web.default.svc.cluster.local",destination_workload="default/\\"x"}[60s])))',
    )
  })

  it.each([
    [
      'what it refuses',
      () => JSON.stringify({ status: 'error', error: 'too many samples' }),
      'Prometheus refuses: too many samples',
    ],
    ['what is no answer of Prometheus', () => '<html>', 'Prometheus cannot be asked: what it answers is no JSON'],
    ['what is something else', () => 'null', 'Prometheus refuses: what it answers is no query result'],
    [
      'a server that is away',
      () => Promise.reject(new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })),
      'Prometheus cannot be asked: connect ECONNREFUSED',
    ],
    [
      'one that is silent',
      () => Promise.reject(new DOMException('over', 'TimeoutError')),
      'Prometheus cannot be asked: no answer within 3 s',
    ],
    [
      'one that never stops',
      () => 'x'.repeat(5_000_000),
      'Prometheus cannot be asked: its answer is larger than 4194304 bytes',
    ],
  ])('says so of %s', async (_, answer, message) => {
    await expect(history(answer).remembered.points(minute)).rejects.toThrow(message)
  })

  it('asks for a few charts at once', async () => {
    const silent = Promise.withResolvers<Response>()
    const { remembered } = history(() => silent.promise)
    const waiting = Array.from({ length: 4 }, () => remembered.points(minute))
    await expect(remembered.points(minute)).rejects.toThrow('ask again')
    silent.reject(new Error('over'))
    await Promise.allSettled(waiting)
    await expect(remembered.points(minute)).rejects.toThrow('over')
  })
})
