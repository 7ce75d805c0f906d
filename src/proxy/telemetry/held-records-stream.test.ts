import { EventEmitter } from 'node:events'

import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { Client } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import { sampleRecord } from '../../../test/kit/sample-record.ts'
import { AskedRequestsSchema } from '../../contracts/xds/gen/heddle/v1/held_records_pb.ts'
import type { HeldRecords as Message } from '../../contracts/xds/gen/heddle/v1/held_records_pb.ts'
import { BatchedWork } from '../../core/batched-work.ts'
import { decodeStreamedRecord } from '../../policies/access-log/streamed-record.xds.ts'
import { answerHeldRecords } from './held-records-stream.ts'
import { HeldRecords, HoldingLimit } from './held-records.ts'

class Call extends EventEmitter {
  readonly sent: Message[] = []
  cancelled = false

  write(message: Message): boolean {
    this.sent.push(message)
    return true
  }

  ask(...ids: readonly string[]): void {
    this.emit('data', create(AskedRequestsSchema, { ids: [...ids] }))
  }

  cancel(): void {
    this.cancelled = true
  }
}

function answering() {
  const clock = new ManualClock()
  const held = new HeldRecords(clock, new HoldingLimit())
  const work = new BatchedWork(clock)
  const calls: Call[] = []
  const client = {
    makeBidiStreamRequest() {
      const call = new Call()
      calls.push(call)
      return call
    },
  } as unknown as Client
  const stop = answerHeldRecords(client, { node: 'sidecar~default~web', held, work, clock })
  const { request } = sampleRecord()
  const hold = (id: string): void =>
    held.consume(sampleRecord({ request: { ...request, headers: { 'x-request-id': id } } }))
  return { clock, held, work, calls, newest: () => calls.at(-1) as Call, hold, stop }
}

describe('the answers to the control plane', () => {
  it('begin with who answers, and are what is held of the requests that it asks for', () => {
    const { newest, hold } = answering()
    expect(newest().sent).toMatchObject([{ node: 'sidecar~default~web', entries: [] }])
    hold('r1')
    hold('r2')
    newest().ask('nobody')
    expect(newest().sent).toHaveLength(1)
    newest().ask('r2', 'nobody')
    expect(newest().sent[1]?.entries.map(decodeStreamedRecord)).toMatchObject([
      { request: { headers: { 'x-request-id': 'r2' } } },
    ])
  })

  it('are with what is about to be held', () => {
    const { work, newest, hold } = answering()
    work.add(() => hold('r1'))
    newest().ask('r1')
    expect(newest().sent[1]?.entries).toHaveLength(1)
  })

  it('go on when the control plane is back, and end where it does not ask', () => {
    const { clock, held, calls, newest, hold } = answering()
    newest().emit('status', { code: status.UNAVAILABLE })
    clock.advance(1_000)
    expect(calls).toHaveLength(2)
    hold('r1')
    newest().emit('status', { code: status.UNIMPLEMENTED })
    clock.advance(5_000)
    expect(calls).toHaveLength(2)
    expect(held.take(['r1'])).toEqual([])
    expect(held.wants(sampleExchange())).toBe(false)
    expect(clock.pendingCount).toBe(0)
  })

  it('leave no timer when they are stopped', () => {
    const { clock, newest, stop } = answering()
    stop()
    expect(newest().cancelled).toBe(true)
    expect(clock.pendingCount).toBe(0)
  })
})
