import { EventEmitter } from 'node:events'

import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { Client } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { QuotaAssignmentSchema } from '../../contracts/xds/gen/heddle/v1/quota_pb.ts'
import type { DemandReport } from '../../contracts/xds/gen/heddle/v1/quota_pb.ts'
import { LimitBuckets } from '../../policies/rate-limit/limit-buckets.runtime.ts'
import type { LocalRateLimitSpec } from '../../policies/rate-limit/rate-limit.spec.ts'
import { watchQuota } from './watch-quota.ts'

const spec: LocalRateLimitSpec = {
  name: 'TrafficPolicy/default/web/all',
  tokenBucket: { maxTokens: 100, tokensPerFill: 100, fillIntervalMs: 1_000 },
  descriptor: [],
  enforcedShare: 1_000_000,
  shared: true,
}

class Call extends EventEmitter {
  readonly reports: DemandReport[] = []

  write(report: DemandReport): void {
    this.reports.push(report)
  }

  cancel(): void {
    this.end(status.CANCELLED)
  }

  assign(share: number, fallbackShare: number): void {
    this.emit('data', create(QuotaAssignmentSchema, { shares: [{ limit: spec.name, share, fallbackShare }] }))
  }

  end(code: status): void {
    this.emit('status', { code })
  }
}

function watched(...shared: readonly LocalRateLimitSpec[]) {
  const clock = new ManualClock()
  const limits = new LimitBuckets(1)
  limits.keep(shared)
  const calls: Call[] = []
  const client = {
    makeBidiStreamRequest() {
      const call = new Call()
      calls.push(call)
      return call
    },
  } as unknown as Client
  const stop = watchQuota(client, { node: 'sidecar~default~web', limits, clock })
  return { clock, client, limits, calls, stop, newest: () => calls.at(-1) as Call }
}

describe('the watch over shared limits', () => {
  it('asks for nothing while there are none, and begins and ends with them', () => {
    const { calls, clock, limits, newest } = watched()
    expect(calls).toEqual([])
    expect(clock.pendingCount).toBe(0)
    limits.keep([spec])
    expect(newest().reports).toHaveLength(1)
    limits.keep([])
    expect(clock.pendingCount).toBe(0)
    clock.advance(5_000)
    expect(calls).toHaveLength(1)
  })

  it('reports what was asked for each second, refused or not, and takes its share', () => {
    const { clock, limits, newest } = watched(spec)
    newest().assign(0.25, 0.5)
    const buckets = limits.of(spec)
    expect(buckets.maxTokens).toBe(25)
    for (let i = 0; i < 60; i++) buckets.take('', clock.monotonicMs())
    clock.advance(1_000)
    expect(newest().reports.at(-1)?.demands).toMatchObject([{ limit: spec.name, perSecond: 60 }])
    clock.advance(1_000)
    expect(newest().reports.at(-1)?.demands[0]?.perSecond).toBe(0)
  })

  it('goes on with an even share when no assignment comes, and comes back', () => {
    const { clock, calls, limits, newest } = watched(spec)
    newest().assign(0.9, 0.5)
    newest().end(status.UNAVAILABLE)
    clock.advance(2_000)
    expect(limits.of(spec).maxTokens).toBe(90)
    clock.advance(1_000)
    expect(limits.of(spec).maxTokens).toBe(50)
    expect(calls.length).toBeGreaterThan(1)
    newest().assign(0.7, 0.5)
    expect(limits.of(spec).maxTokens).toBe(70)
  })

  it('counts the time from the assignment, however often the channel is opened anew', () => {
    const { clock, client, limits, newest, stop } = watched(spec)
    newest().assign(0.9, 0.5)
    let stopNewest = stop
    for (let second = 0; second < 3; second++) {
      stopNewest()
      stopNewest = watchQuota(client, { node: 'sidecar~default~web', limits, clock })
      clock.advance(1_000)
    }
    expect(limits.of(spec).maxTokens).toBe(50)
  })

  it('does not ask a control plane again that deals out nothing', () => {
    const { clock, calls, newest, stop } = watched(spec)
    newest().end(status.UNIMPLEMENTED)
    clock.advance(10_000)
    expect(calls).toHaveLength(1)
    stop()
    expect(clock.pendingCount).toBe(0)
  })
})
