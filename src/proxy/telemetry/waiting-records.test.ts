import { EventEmitter } from 'node:events'

import { connectivityState, status } from '@grpc/grpc-js'
import type { Client } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'

import { immediately } from '../../../test/kit/immediately.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import { sampleTrace } from '../../../test/kit/sample-trace.ts'
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import type { StreamAccessLogsMessage } from '../../contracts/xds/gen/envoy/service/accesslog/v3/als_pb.ts'
import { HeaderList } from '../../core/header-list.ts'
import { decodeStreamedRecord } from '../../policies/access-log/streamed-record.xds.ts'
import { createRecordSink } from './decision-records.ts'
import type { Exchange } from './exchange.ts'
import { streamRecords } from './records-stream.ts'
import { WaitingRecords, mostWaiting } from './waiting-records.ts'

const failed: Partial<Exchange> = { status: 503, flags: ['UF'] }
const sampled: Partial<Exchange> = { traced: sampleTrace('1') }

class Call extends EventEmitter {
  readonly sent: StreamAccessLogsMessage[] = []
  slow = false
  finished = false

  write(message: StreamAccessLogsMessage): boolean {
    this.sent.push(message)
    return !this.slow
  }

  end(): void {
    this.finished = true
  }

  cancel(): void {
    this.over(status.CANCELLED)
  }

  over(code: status): void {
    this.emit('status', { code })
  }

  get records(): DecisionRecord[] {
    return this.sent.flatMap(({ logEntries }) =>
      logEntries.case === 'httpLogs'
        ? logEntries.value.logEntry.map((entry) => decodeStreamedRecord(entry) as DecisionRecord)
        : [],
    )
  }
}

function waiting() {
  const clock = new ManualClock()
  const counted = { sent: 0, dropped: 0 }
  const counter = { recordsCounted: (result: 'sent' | 'dropped', count: number) => void (counted[result] += count) }
  const records = new WaitingRecords(clock, counter)
  const sink = createRecordSink(
    { workload: 'default/web', spiffeId: 'spiffe://mesh.local/x' },
    clock,
    immediately,
    records,
  )
  const calls: Call[] = []
  const channel = { state: connectivityState.READY }
  const client = {
    getChannel: () => ({ getConnectivityState: () => channel.state }),
    makeClientStreamRequest() {
      const call = new Call()
      calls.push(call)
      return call
    },
  } as unknown as Client
  const stream = () => streamRecords(client, { node: 'sidecar~default~web', records, counter, clock })
  const finish = (changes: Partial<Exchange>): void => sink.finished(sampleExchange(changes))
  return { clock, channel, counted, records, finish, calls, newest: () => calls.at(-1) as Call, stream }
}

describe('the records that wait', () => {
  it('are of requests that failed, were repeated, were slow or are sampled', () => {
    const { records, finish } = waiting()
    finish({})
    finish({ status: 404 })
    finish({ status: 0, protocol: 'TCP' })
    const attempts: Exchange['attempts'] = [
      { endpoint: '127.0.0.1:1', outcome: 'cancelled', durationMs: 2 },
      { endpoint: '127.0.0.1:2', outcome: 'response', status: 200, durationMs: 2 },
    ]
    finish({ attempts })
    expect(records.take()).toEqual([])
    const [, second] = attempts as [Exchange['attempts'][0], Exchange['attempts'][0]]
    const refused = { endpoint: '127.0.0.1:1', outcome: 'refused', durationMs: 1, retriedBecause: 'refused' } as const
    finish({ attempts: [refused, second] })
    expect(records.take()).toHaveLength(1)
    finish(failed)
    finish({ durationMs: 1_000 })
    finish(sampled)
    expect(records.take().map(({ response, durationMs }) => [response.status, durationMs])).toEqual([
      [503, 3],
      [200, 1_000],
      [200, 3],
    ])
    expect(records.take()).toEqual([])
  })

  it('are not of requests whose decision records are muted', () => {
    const { records, finish } = waiting()
    for (const decisionRecords of [true, false]) finish({ ...failed, muted: { metrics: false, decisionRecords } })
    expect(records.take()).toHaveLength(1)
  })

  it('are some of those that fail, all their hops, when there are many', () => {
    const { clock, records, finish } = waiting()
    const fail = (id: string): void => {
      const request = { ...sampleExchange().request, headers: HeaderList.of(['x-request-id', id]) }
      finish({ ...failed, request })
      finish({ ...failed, request, reporter: 'destination' })
    }
    for (let one = 0; one < 500; one++) fail(`request-${one}`)
    const kept = records.take().map(({ request }) => request.headers['x-request-id'])
    expect(kept.length).toBeLessThanOrEqual(50)
    expect(new Set(kept).size).toBe(kept.length / 2)
    clock.advance(1_000)
    fail('another')
    expect(records.take()).toHaveLength(2)
  })

  it('are some of those that are sampled, the same at all hops', () => {
    const { clock, records, finish } = waiting()
    const all = Array.from({ length: 500 }, (_, one): Partial<Exchange> => ({ traced: sampleTrace(String(one)) }))
    for (const one of all) for (const reporter of ['source', 'destination'] as const) finish({ ...one, reporter })
    const kept = records.take().map(({ trace }) => trace?.traceId)
    expect(kept.length).toBeGreaterThanOrEqual(20)
    expect(kept.length).toBeLessThanOrEqual(50)
    expect(new Set(kept).size).toBe(kept.length / 2)
    finish({ ...(all.at(-1) as Partial<Exchange>), ...failed })
    expect(records.take()).toHaveLength(1)
    clock.advance(1_000)
    finish(all.at(-1) as Partial<Exchange>)
    expect(records.take()).toHaveLength(1)
  })

  it('are bounded, with room for those that fail, and what is dropped is counted', () => {
    const { clock, records, finish, counted } = waiting()
    for (let one = 0; one < mostWaiting; one++) {
      finish(sampled)
      clock.advance(1_000)
    }
    expect(counted.dropped).toBe(mostWaiting / 2)
    finish({ ...sampled, ...failed })
    expect(records.take()).toHaveLength(mostWaiting / 2 + 1)
  })
})

describe('the stream of records', () => {
  it('begins with who reports, and sends each second what waits', () => {
    const { clock, finish, newest, stream, counted } = waiting()
    stream()
    expect(newest().sent).toMatchObject([{ identifier: { node: { id: 'sidecar~default~web' } } }])
    finish(failed)
    clock.advance(1_000)
    expect(newest().records).toMatchObject([{ proxy: 'default/web', response: { status: 503, flags: ['UF'] } }])
    clock.advance(5_000)
    expect(newest().sent).toHaveLength(2)
    expect(counted).toEqual({ sent: 1, dropped: 0 })
  })

  it('keeps what waits while the control plane is slow or away', () => {
    const { clock, channel, finish, calls, newest, stream } = waiting()
    stream()
    newest().slow = true
    finish(failed)
    clock.advance(1_000)
    finish(failed)
    clock.advance(3_000)
    expect(newest().records).toHaveLength(1)
    newest().over(status.UNAVAILABLE)
    channel.state = connectivityState.CONNECTING
    clock.advance(1_000)
    clock.advance(1_000)
    expect(calls).toHaveLength(2)
    expect(newest().records).toEqual([])
    channel.state = connectivityState.READY
    newest().over(status.PERMISSION_DENIED)
    clock.advance(1_000)
    expect(calls).toHaveLength(3)
    expect(newest().records).toEqual([])
    clock.advance(1_000)
    expect(newest().records).toHaveLength(1)
  })

  it('makes none for a control plane that wants none', () => {
    const { clock, finish, records, calls, newest, stream } = waiting()
    stream()
    newest().over(status.UNIMPLEMENTED)
    finish(failed)
    clock.advance(10_000)
    expect(calls).toHaveLength(1)
    expect(records.take()).toEqual([])
  })

  it('sends the last before it ends, and leaves no timer', async () => {
    const { clock, finish, newest, stream } = waiting()
    const streaming = stream()
    finish(failed)
    const finishing = streaming.finish(500)
    expect(newest().records).toHaveLength(1)
    expect(newest().finished).toBe(true)
    newest().over(status.OK)
    await finishing
    expect(clock.pendingCount).toBe(0)
  })
})
