// Sends the control plane the decision records that wait for it, once a second, by Envoy's AccessLogService.
import { create } from '@bufbuild/protobuf'
import type { Client } from '@grpc/grpc-js'

import {
  AccessLogService,
  StreamAccessLogsMessageSchema,
} from '../../contracts/xds/gen/envoy/service/accesslog/v3/als_pb.ts'
import { grpcMethod } from '../../contracts/xds/grpc-method.ts'
import type { Clock } from '../../core/clock.ts'
import { encodeStreamedRecord } from '../../policies/access-log/streamed-record.xds.ts'
import { type ReportStream, streamReports } from './report-stream.ts'
import type { RecordCounter, WaitingRecords } from './waiting-records.ts'

export interface RecordsStreamOptions {
  /** Node id: "sidecar~default~web". */
  readonly node: string
  readonly records: WaitingRecords
  readonly counter: RecordCounter
  readonly clock: Clock
}

/** What waits goes on waiting while the control plane is away or slow. */
export function streamRecords(client: Client, { node, records, counter, clock }: RecordsStreamOptions): ReportStream {
  return streamReports(
    client,
    {
      method: grpcMethod(AccessLogService.method.streamAccessLogs),
      begin: () => create(StreamAccessLogsMessageSchema, { identifier: { node: { id: node }, logName: 'heddle' } }),
      take() {
        const taken = records.take()
        if (taken.length === 0) return undefined
        const logEntry = taken.flatMap((record) => encodeStreamedRecord(record) ?? [])
        counter.recordsCounted('sent', logEntry.length)
        if (logEntry.length < taken.length) counter.recordsCounted('dropped', taken.length - logEntry.length)
        return create(StreamAccessLogsMessageSchema, { logEntries: { case: 'httpLogs', value: { logEntry } } })
      },
      onlyOnce: true,
      unwanted: () => records.close(),
    },
    clock,
  )
}
