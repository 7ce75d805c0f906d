import { describe, expect, it } from 'vitest'

import type { TrafficSum } from '../../contracts/read-api.ts'
import type { CliHost } from '../host.ts'
import { Output } from '../output.ts'
import { filterTraffic, shownTraffic, sortByName, sortTraffic, trafficTable, trafficViews } from './traffic-view.ts'
import type { ShownSum } from './traffic-view.ts'

function sum(changes: Partial<TrafficSum> = {}): TrafficSum {
  return {
    from: 'service/shop/web',
    to: 'service/shop/cart',
    requests: 200,
    failed: 0,
    durationMs: { p50: 1, p90: 2, p95: 3, p99: 4 },
    mtls: 'all',
    codes: { 200: 200 },
    health: 'healthy',
    ...changes,
  }
}

function shown(...sums: readonly TrafficSum[]): readonly ShownSum[] {
  return shownTraffic({ atMs: 0, windowMs: 10_000, sums }).sums
}

function draw(sums: readonly ShownSum[], view: keyof typeof trafficViews, host: Partial<CliHost> = {}): string {
  const stdout = { write: () => true, columns: 140 }
  const output = new Output({ stdout, stderr: stdout, env: {}, ...host } as unknown as CliHost)
  return output.renderTable(trafficTable(trafficViews[view], sums, output))
}

describe('traffic as a table', () => {
  it('says rate, success and health, and namespaces only where there are several', () => {
    const one = shown(
      sum({ failed: 50, health: 'failing', history: { stepMs: 1_000, requests: [0, 4, 8], failed: [0, 0, 1] } }),
    )
    expect(draw(one, 'edges')).toBe(
      'FROM  TO      RATE  SUCCESS     P50     P99  MTLS  HEALTH   TREND\n' +
        'web   cart  20.0/s    75.0%  1.00ms  4.00ms  all   failing  ▁▅█\n',
    )
    expect(draw(shown(sum(), sum({ to: 'service/bank/vault' })), 'edges')).toContain('shop/web  bank/vault')
  })

  it('never rounds a failure away', () => {
    expect(draw(shown(sum({ requests: 100_000, failed: 1 })), 'edges')).toContain('99.9%')
    expect(draw(shown(sum({ requests: 0 })), 'edges')).toMatch(/cart +0\.0\/s +- /)
  })

  it('names gateways, hosts outside, and what is not known', () => {
    const sums = shown(
      sum({ from: 'gateway/shop/public' }),
      sum({ to: 'external/api.example.com' }),
      sum({ from: 'outside', to: 'workload/shop/batch' }),
    )
    const text = draw(sums, 'edges')
    for (const name of ['gateway public', 'api.example.com', 'outside  ', 'batch']) expect(text).toContain(name)
    const { from: _, to: __, ...rest } = sum()
    const byWorkload = shown({ ...rest, source: '', service: 'cart.shop.svc.cluster.local', workload: '' })
    expect(draw(byWorkload, 'stat')).toMatch(/\noutside +cart +- /)
  })

  it('says where a route is written, and its statuses', () => {
    const { from: _, ...rest } = sum({
      route: 'shop/cart/0',
      codes: { 503: 3, 200: 197 },
      document: { id: 'HTTPRoute/shop/cart', file: '/mesh/routes.yaml', line: 12 },
    })
    expect(draw(shown(rest), 'routes')).toMatch(/cart +shop\/cart\/0 .* 200: 197, 503: 3 .* routes\.yaml:12\n/)
  })

  it('keeps to ASCII, and has no colours, where that is wished', () => {
    const history = { stepMs: 1_000, requests: [0, 4, 8], failed: [0, 0, 1] }
    const one = shown(sum({ to: 'service/shop/größe', history }))
    const text = draw(one, 'edges', { env: { LC_ALL: 'C', NO_COLOR: '1' } })
    expect(text).toMatch(/^[\u0020-\u007e\n]+$/)
    expect(text).toContain('_=#')
  })

  it('is narrow where the terminal is', () => {
    const stdout = { write: () => true, columns: 80 }
    const history = { stepMs: 3_000, requests: Array.from({ length: 20 }, () => 1), failed: [] }
    const one = shown(sum({ from: 'service/shop/recommendations-v1', to: 'service/shop/recommendations-v2', history }))
    for (const view of ['edges', 'top'] as const) {
      const lines = draw(one, view, { stdout }).split('\n')
      expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80)
      expect(lines[1]).toContain('20.0/s   100.0%')
    }
  })
})

describe('traffic', () => {
  const sums = shown(
    sum({ from: 'service/a/one', to: 'service/b/two', requests: 10, failed: 5 }),
    sum({
      from: 'service/b/two',
      to: 'service/c/three',
      requests: 30,
      durationMs: { p50: 1, p90: 2, p95: 3, p99: 90 },
    }),
    sum({ from: 'service/a/one', to: 'service/c/three', requests: 20 }),
  )

  it('is filtered by who takes part, and by namespace', () => {
    expect(ends(filterTraffic(sums, { name: 'two' }))).toEqual(['eo', 'oe'])
    expect(ends(filterTraffic(sums, { name: 'a/one' }))).toEqual(['eo', 'ee'])
    expect(ends(filterTraffic(sums, { name: 'b/one' }))).toEqual([])
    expect(ends(filterTraffic(sums, { namespace: 'c' }))).toEqual(['oe', 'ee'])
    expect(ends(filterTraffic(sums, { name: 'one', namespace: 'c' }))).toEqual(['ee'])
  })

  it('is sorted by rate, failures and 99th percentile, or by name', () => {
    expect(ends(sortTraffic(sums, 'rate'))).toEqual(['oe', 'ee', 'eo'])
    expect(ends(sortTraffic(sums, 'errors'))[0]).toBe('eo')
    expect(ends(sortTraffic(sums, 'p99'))[0]).toBe('oe')
    expect(ends(sortByName(sums.toReversed()))).toEqual(['eo', 'ee', 'oe'])
  })
})

function ends(of: readonly ShownSum[]): string[] {
  return of.map(({ from, to }) => `${from?.at(-1)}${to?.at(-1)}`)
}
