// Sends the control plane the decision records that wait for it, once a second, by Envoy's AccessLogService.
import { create } from '@bufbuild/protobuf'
import { connectivityState, status } from '@grpc/grpc-js'
import type { Client, ClientWritableStream, StatusObject } from '@grpc/grpc-js'

import {
  AccessLogService,
  StreamAccessLogsMessageSchema,
} from '../../contracts/xds/gen/envoy/service/accesslog/v3/als_pb.ts'
import type { StreamAccessLogsMessage } from '../../contracts/xds/gen/envoy/service/accesslog/v3/als_pb.ts'
import { grpcMethod } from '../../contracts/xds/grpc-method.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import { encodeStreamedRecord } from '../../policies/access-log/streamed-record.xds.ts'
import type { RecordCounter, WaitingRecords } from './waiting-records.ts'

export interface RecordsStreamOptions {
  /** Node id: "sidecar~default~web". */
  readonly node: string
  readonly records: WaitingRecords
  readonly counter: RecordCounter
  readonly clock: Clock
}

export interface RecordsStream {
  /** Sends what waits, and ends. Resolves when the control plane has it, or after `withinMs`. */
  finish(withinMs: number): Promise<void>
  stop(): void
}

const intervalMs = 1_000
const method = grpcMethod(AccessLogService.method.streamAccessLogs)

/** On a channel that somebody else opened and closes. What waits goes on waiting while the control plane is away or slow. */
export function streamRecords(client: Client, { node, records, counter, clock }: RecordsStreamOptions): RecordsStream {
  let call: ClientWritableStream<StreamAccessLogsMessage> | undefined
  let blocked = false
  let unknown = false
  let ended: (() => void) | undefined
  let timer: Timer | undefined
  const open = (): void => {
    try {
      call = client.makeClientStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, () => {
        // its status follows
      })
    } catch {
      // the channel was closed meanwhile
      return
    }
    const opened = call
    blocked = false
    call.on('drain', () => {
      if (call === opened) blocked = false
    })
    call.on('status', ({ code }: StatusObject) => {
      if (call === opened) call = undefined
      unknown = code === status.UNIMPLEMENTED
      if (unknown) records.close()
      ended?.()
    })
    write({ identifier: { node: { id: node }, logName: 'heddle' } })
  }
  const write = (message: Parameters<typeof create<typeof StreamAccessLogsMessageSchema>>[1]): void => {
    blocked = call?.write(create(StreamAccessLogsMessageSchema, message)) === false
  }
  const report = (): void => {
    if (call === undefined && !unknown) open()
    // what is written to a call that never gets through is lost
    const isThrough = client.getChannel().getConnectivityState(false) === connectivityState.READY
    if (call === undefined || blocked || !isThrough) return
    const taken = records.take()
    if (taken.length === 0) return
    const logEntry = taken.flatMap((record) => encodeStreamedRecord(record) ?? [])
    write({ logEntries: { case: 'httpLogs', value: { logEntry } } })
    counter.recordsCounted('sent', logEntry.length)
    if (logEntry.length < taken.length) counter.recordsCounted('dropped', taken.length - logEntry.length)
  }
  const tick = (): void => {
    report()
    timer = clock.setTimer(intervalMs, tick)
  }
  tick()
  return {
    finish(withinMs) {
      timer?.cancel()
      report()
      if (call === undefined) return Promise.resolve()
      const { promise, resolve } = Promise.withResolvers<void>()
      const deadline = clock.setTimer(withinMs, resolve)
      ended = () => {
        deadline.cancel()
        resolve()
      }
      call.end()
      return promise
    },
    stop() {
      timer?.cancel()
      call?.cancel()
    },
  }
}
