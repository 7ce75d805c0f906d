import { EventEmitter } from 'node:events'

import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { sampleRecord } from '../../../test/kit/sample-record.ts'
import { CarelessAuthority } from '../../../test/kit/svid-with-faults.ts'
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import { certificatesFromPem } from '../../contracts/identity/pem.ts'
import { HeldRecordsSchema } from '../../contracts/xds/gen/heddle/v1/held_records_pb.ts'
import type { AskedRequests } from '../../contracts/xds/gen/heddle/v1/held_records_pb.ts'
import { encodeStreamedRecord } from '../../policies/access-log/streamed-record.xds.ts'
import { AskedProxies } from './asked-proxies.ts'

const web = 'spiffe://mesh.local/ns/default/sa/web'
const node = 'sidecar~default~web'
const [certificate] = certificatesFromPem(new CarelessAuthority().issue({ uri: web }).certificateChainPem)

class Call extends EventEmitter {
  readonly asked: string[][] = []

  constructor() {
    super()
    this.on('error', () => {})
  }

  getAuthContext(): object {
    return { sslPeerCertificate: { raw: certificate } }
  }

  write({ ids }: AskedRequests): void {
    this.asked.push(ids)
  }

  send(as: string, ...records: readonly DecisionRecord[]): void {
    const entries = records.map((record) => encodeStreamedRecord(record)).filter((entry) => entry !== undefined)
    this.emit('data', create(HeldRecordsSchema, { node: as, entries }))
  }
}

function hop(id: string, changes: Partial<DecisionRecord> = {}): DecisionRecord {
  return sampleRecord({ request: { ...sampleRecord().request, headers: { 'x-request-id': id } }, ...changes })
}

function asking() {
  const clock = new ManualClock()
  const completed: DecisionRecord[] = []
  const revoked = new Set<string>()
  const asked = new AskedProxies({
    clock,
    proxies: () => new Map([[node, web]]),
    isRevoked: (spiffeId) => revoked.has(spiffeId),
    complete: (record) => completed.push(record),
  })
  const accept = asked.service().implementation['TellHeldRecords'] as unknown as (call: Call) => void
  const open = (as = node): Call => {
    const call = new Call()
    accept(call)
    call.send(as)
    return call
  }
  return { clock, completed, revoked, asked, open }
}

describe('proxies', () => {
  it('are asked once for a request that one of them has told of, when its hops have ended', () => {
    const { clock, asked, open } = asking()
    const [one, two] = [open(), open()]
    asked.told(hop('r1'))
    asked.told(hop('r1'))
    clock.advance(999)
    expect(one.asked).toEqual([])
    clock.advance(251)
    expect([one.asked, two.asked]).toEqual([[['r1']], [['r1']]])
    clock.advance(10_000)
    expect(one.asked).toHaveLength(1)
    expect(clock.pendingCount).toBe(0)
    asked.told(hop('r1'))
    clock.advance(1_250)
    expect(one.asked).toHaveLength(2)
  })

  it('are not asked for sampled ones, of which each tells, nor for endless ids, nor for more than some', () => {
    const { clock, asked, open } = asking()
    const call = open()
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const request = { ...sampleRecord().request, headers: { traceparent } }
    asked.told(sampleRecord({ request, trace: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) } }))
    asked.told(hop('x'.repeat(300)))
    expect(clock.pendingCount).toBe(0)
    for (let one = 0; one < 1_000; one++) asked.told(hop(`r${one}`))
    clock.advance(1_250)
    expect(call.asked.flat()).toHaveLength(200)
  })

  it('answer of themselves alone', () => {
    const { completed, open } = asking()
    open().send('', hop('r1', { reporter: 'destination', proxy: 'default/other' }))
    expect(completed).toMatchObject([
      { proxy: 'default/web', destination: { workload: 'default/web', principal: web } },
    ])
  })

  it('are nobody who shows another certificate, one that is revoked, or is gone', () => {
    const { clock, asked, completed, revoked, open } = asking()
    const stranger = open('sidecar~default~other')
    const gone = open()
    gone.emit('close')
    const call = open()
    revoked.add(web)
    call.send('', hop('r1'))
    stranger.send('', hop('r1'))
    asked.told(hop('r1'))
    clock.advance(1_250)
    expect([completed, stranger.asked, gone.asked]).toEqual([[], [], []])
    expect(call.asked).toEqual([])
  })
})
