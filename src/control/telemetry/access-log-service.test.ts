import { EventEmitter } from 'node:events'

import { create } from '@bufbuild/protobuf'
import type { JsonObject } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'

import { sampleRecord } from '../../../test/kit/sample-record.ts'
import { CarelessAuthority } from '../../../test/kit/svid-with-faults.ts'
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import { certificatesFromPem } from '../../contracts/identity/pem.ts'
import { HTTPAccessLogEntrySchema } from '../../contracts/xds/gen/envoy/data/accesslog/v3/accesslog_pb.ts'
import type { HTTPAccessLogEntry } from '../../contracts/xds/gen/envoy/data/accesslog/v3/accesslog_pb.ts'
import {
  AccessLogService as Description,
  StreamAccessLogsMessageSchema,
} from '../../contracts/xds/gen/envoy/service/accesslog/v3/als_pb.ts'
import type { StreamAccessLogsMessage } from '../../contracts/xds/gen/envoy/service/accesslog/v3/als_pb.ts'
import { grpcMethod } from '../../contracts/xds/grpc-method.ts'
import { encodeStreamedRecord } from '../../policies/access-log/streamed-record.xds.ts'
import { accessLogService } from './access-log-service.ts'

const web = 'spiffe://mesh.local/ns/default/sa/web'
const node = 'sidecar~default~web'
const [certificate] = certificatesFromPem(new CarelessAuthority().issue({ uri: web }).certificateChainPem)
const { requestSerialize, requestDeserialize } = grpcMethod(Description.method.streamAccessLogs)

class Call extends EventEmitter {
  ended: number | undefined
  readonly #raw: Buffer | undefined

  constructor(raw: Buffer | undefined) {
    super()
    this.#raw = raw
  }

  getAuthContext(): object {
    return this.#raw === undefined ? {} : { sslPeerCertificate: { raw: this.#raw } }
  }

  send(message: StreamAccessLogsMessage): void {
    this.emit('data', requestDeserialize(requestSerialize(message)))
  }

  introduce(id: string): void {
    this.send(create(StreamAccessLogsMessageSchema, { identifier: { node: { id } } }))
  }

  log(...logEntry: readonly (HTTPAccessLogEntry | undefined)[]): void {
    const entries = logEntry.filter((entry) => entry !== undefined)
    this.send(create(StreamAccessLogsMessageSchema, { logEntries: { case: 'httpLogs', value: { logEntry: entries } } }))
  }
}

function receiving() {
  const added: DecisionRecord[] = []
  const revoked = new Set<string>()
  const { implementation } = accessLogService({
    proxies: () =>
      new Map([
        [node, web],
        ['gateway~default~public', web],
      ]),
    isRevoked: (spiffeId) => revoked.has(spiffeId),
    add: (record) => added.push(record),
  })
  const accept = implementation['StreamAccessLogs'] as unknown as (
    call: Call,
    done: (error: { code: number } | null) => void,
  ) => void
  const open = (raw: Buffer | undefined = certificate): Call => {
    const call = new Call(raw)
    accept(call, (error) => (call.ended = error?.code ?? status.OK))
    return call
  }
  return { added, revoked, open }
}

function saying(change: JsonObject): HTTPAccessLogEntry {
  const json = JSON.stringify({ ...sampleRecord(), ...change })
  return create(HTTPAccessLogEntrySchema, { commonProperties: { customTags: { 'heddle.decision_record': json } } })
}

describe('records of requests', () => {
  it('are taken from the proxy that the certificate names, and nobody else', () => {
    const { added, open } = receiving()
    const stranger = open()
    stranger.introduce('sidecar~default~reviews-v1')
    stranger.log(encodeStreamedRecord(sampleRecord()))
    expect(stranger.ended).toBe(status.PERMISSION_DENIED)
    const call = open()
    call.introduce(node)
    call.log(encodeStreamedRecord(sampleRecord()))
    expect(added).toEqual([JSON.parse(JSON.stringify(sampleRecord()))])
    call.emit('end')
    expect(call.ended).toBe(status.OK)
  })

  it('are taken no more from whose certificate is revoked', () => {
    const { added, open, revoked } = receiving()
    const call = open()
    call.introduce(node)
    revoked.add(web)
    call.log(encodeStreamedRecord(sampleRecord()))
    expect(call.ended).toBe(status.PERMISSION_DENIED)
    expect(added).toEqual([])
  })

  it('speak of the proxy that sent them, whatever they say', () => {
    const { added, open } = receiving()
    const call = open()
    call.introduce(node)
    const other = { workload: 'default/other', principal: 'spiffe://mesh.local/ns/default/sa/other' }
    call.log(
      saying({ proxy: 'default/other', source: other }),
      saying({ proxy: 'default/other', reporter: 'destination', destination: other }),
      saying({ reporter: 'gateway', source: other }),
    )
    const own = { workload: 'default/web', principal: web }
    expect(added).toMatchObject([
      { proxy: 'default/web', reporter: 'source', source: own },
      { proxy: 'default/web', reporter: 'destination', destination: own },
      { proxy: 'default/web', reporter: 'source', source: own },
    ])
    const gateway = open()
    gateway.introduce('gateway~default~public')
    gateway.log(saying({ reporter: 'destination' }))
    expect(added.at(-1)).toMatchObject({ proxy: 'default/public', reporter: 'gateway' })
  })

  it('that are none are passed over, and the others are taken', () => {
    const { added, open } = receiving()
    const call = open()
    call.introduce(node)
    call.log(
      saying({ durationMs: -1 }),
      saying({ startMs: 'yesterday' }),
      saying({ response: { status: 200, flags: ['<script>'], bytes: 1 } }),
      saying({ request: null }),
      create(HTTPAccessLogEntrySchema),
      saying({ id: 'good' }),
    )
    expect(added).toMatchObject([{ id: 'good' }])
    expect(call.ended).toBeUndefined()
  })
})
