// Turns by reports of load.
import { beforeEach, describe, expect, it } from 'vitest'

import { equalEndpoints, sharesOf } from '../../../test/kit/balanced-endpoints.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { LoadBalancedEndpoint, LoadBalancer } from '../../contracts/load-balancer.ts'
import { createRandom } from '../../core/random.ts'
import { createLoadBalancer } from './load-balancing.runtime.ts'
import { parseLoadReport } from './load-report.runtime.ts'

const spec = {
  kind: 'client-side-weighted-round-robin',
  blackoutMs: 10_000,
  weightExpirationMs: 180_000,
  weightUpdateMs: 1_000,
  errorUtilizationPenalty: 1,
} as const
let clock: ManualClock
let list: LoadBalancedEndpoint[]
let balancer: LoadBalancer

beforeEach(() => {
  clock = new ManualClock()
  list = equalEndpoints(4)
  balancer = createLoadBalancer(list, spec, { clock, random: createRandom(1) })
})

function report(index: number, loadReport: string): void {
  const response = { outcome: 'response', status: 200, grpcStatus: undefined, startMs: 0, respondedMs: 1 } as const
  balancer.attemptOver?.(list[index] as LoadBalancedEndpoint, { ...response, loadReport })
}

/** All but the last report: one is as busy as the others and serves twice as much, one is half as busy. */
function reportAll(): void {
  report(0, 'TEXT application_utilization=0.5,rps_fractional=100')
  report(1, 'TEXT application_utilization=0.5,rps_fractional=200')
  report(2, 'TEXT application_utilization=0.25,rps_fractional=200')
}

const shares = (): number[] => sharesOf(list, balancer, 1, 4_000).map((share) => Math.round(share * 1_000) / 1_000)
const even = [0.25, 0.25, 0.25, 0.25]

describe('client-side weighted round robin', () => {
  it('gives in turns before there are reports, and believes them after the blackout', () => {
    expect(shares()).toEqual(even)
    reportAll()
    clock.advance(9_000)
    expect(shares()).toEqual(even)
    clock.advance(1_000)
    // 200 : 400 : 800, and the average for who has not reported
    const sum = 200 + 400 + 800 + 1_400 / 3
    for (const [i, weight] of [200, 400, 800, 1_400 / 3].entries()) expect(shares()[i]).toBeCloseTo(weight / sum, 2)
  })

  it('forgets reports that are old, and does not believe the next at once', () => {
    reportAll()
    clock.advance(180_000)
    expect(shares()).toEqual(even)
    reportAll()
    clock.advance(5_000)
    expect(shares()).toEqual(even)
  })

  it('counts errors as utilisation', () => {
    for (const index of [0, 1, 2]) report(index, 'TEXT application_utilization=0.5,rps_fractional=100')
    report(3, 'TEXT application_utilization=0.5,rps_fractional=100,eps=50')
    clock.advance(10_000)
    expect(shares()[3]).toBeCloseTo(1 / 7, 2)
  })
})

describe('reports of load', () => {
  const whole = { utilization: 0.5, requestsPerSecond: 20, errorsPerSecond: 1 }
  const message = Buffer.concat([
    Buffer.from([9, ...double(0.9)]), // cpu_utilization
    Buffer.from([0x22, 3, 1, 2, 3]), // request_cost, passed over
    Buffer.from([0x31, ...double(20)]),
    Buffer.from([0x39, ...double(1)]),
    Buffer.from([0x49, ...double(0.5)]),
  ])

  it.each([
    ['TEXT cpu_utilization=0.9, application_utilization=0.5,rps_fractional=20, eps=1'],
    ['JSON {"cpu_utilization": 0.9, "applicationUtilization": 0.5, "rps_fractional": 20, "eps": 1}'],
    [`BIN ${message.toString('base64')}`],
  ])('come as %s', (text) => {
    expect(parseLoadReport(text)).toEqual(whole)
  })

  it.each([
    '',
    'TEXT',
    'TEXT cpu_utilization=0.5',
    'TEXT cpu_utilization=x,rps_fractional=1',
    'TEXT cpu_utilization=-1,rps_fractional=1',
    'JSON {',
    'JSON null',
    'JSON {"cpu_utilization":"0.5","rps_fractional":1}',
    'XML <a/>',
    'BIN CQ==',
    `BIN ${Buffer.alloc(64, 255).toString('base64')}`,
    `BIN ${message.subarray(0, 20).toString('base64')}`,
  ])('are passed over when they say too little: %j', (text) => {
    expect(parseLoadReport(text)).toBeUndefined()
  })
})

function double(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return bytes
}
