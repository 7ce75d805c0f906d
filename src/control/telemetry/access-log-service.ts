// Envoy's AccessLogService: proxies stream decision records of requests that failed, were repeated, were slow or are sampled; each may speak of itself alone.
import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type {
  ServerReadableStream,
  ServiceDefinition,
  UntypedServiceImplementation,
  sendUnaryData,
} from '@grpc/grpc-js'

import type { DecisionRecord } from '../../contracts/decision-record.ts'
import {
  AccessLogService as Description,
  StreamAccessLogsResponseSchema,
} from '../../contracts/xds/gen/envoy/service/accesslog/v3/als_pb.ts'
import type {
  StreamAccessLogsMessage,
  StreamAccessLogsResponse,
} from '../../contracts/xds/gen/envoy/service/accesslog/v3/als_pb.ts'
import { grpcMethod } from '../../contracts/xds/grpc-method.ts'
import { receiveRecord } from './received-record.ts'
import { ReportingPeer } from './reporting-proxy.ts'
import type { Reporter, ReportingProxies } from './reporting-proxy.ts'

export interface AccessLogServiceOptions extends ReportingProxies {
  readonly add: (record: DecisionRecord) => void
}

type Call = ServerReadableStream<StreamAccessLogsMessage, StreamAccessLogsResponse>
type Done = sendUnaryData<StreamAccessLogsResponse>

const method = grpcMethod(Description.method.streamAccessLogs)

/** For `grpc.Server.addService`. */
export function accessLogService(options: AccessLogServiceOptions): {
  readonly definition: ServiceDefinition
  readonly implementation: UntypedServiceImplementation
} {
  return {
    definition: { StreamAccessLogs: method },
    implementation: { StreamAccessLogs: (call: Call, done: Done) => accept(options, call, done) },
  }
}

function accept(options: AccessLogServiceOptions, call: Call, done: Done): void {
  const peer = new ReportingPeer(call, options)
  let reporter: Reporter | undefined
  let over = false
  const end = (details?: string): void => {
    if (over) return
    over = true
    if (details === undefined) done(null, create(StreamAccessLogsResponseSchema))
    else done({ code: status.PERMISSION_DENIED, details })
  }
  call.on('data', ({ identifier, logEntries }: StreamAccessLogsMessage) => {
    if (over) return
    if (reporter === undefined) {
      const introduced = peer.introduce(identifier?.node?.id ?? '')
      if (typeof introduced === 'string') return end(introduced)
      reporter = introduced
    }
    const refusal = peer.refusal()
    if (refusal !== undefined) return end(refusal)
    if (logEntries.case !== 'httpLogs') return
    for (const entry of logEntries.value.logEntry) {
      const record = receiveRecord(entry, reporter)
      if (record !== undefined) options.add(record)
    }
  })
  call.on('end', () => end())
  call.on('cancelled', () => end())
  call.on('error', () => end())
}
