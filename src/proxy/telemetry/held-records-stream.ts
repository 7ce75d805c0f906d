// Answers the control plane with the decision records that it asks for, of those that are held. On a channel that somebody else opened and closes.
import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { Client, ClientDuplexStream, StatusObject } from '@grpc/grpc-js'

import { HeldRecordsSchema, HeldRecordsService } from '../../contracts/xds/gen/heddle/v1/held_records_pb.ts'
import type { AskedRequests, HeldRecords as Message } from '../../contracts/xds/gen/heddle/v1/held_records_pb.ts'
import { grpcMethod } from '../../contracts/xds/grpc-method.ts'
import type { BatchedWork } from '../../core/batched-work.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import { encodePackedRecord } from '../../policies/access-log/streamed-record.xds.ts'
import type { HeldRecords } from './held-records.ts'

export interface HeldRecordsStreamOptions {
  /** Node id: "sidecar~default~web". */
  readonly node: string
  readonly held: HeldRecords
  /** With which records become held. */
  readonly work: BatchedWork
  readonly clock: Clock
}

const intervalMs = 1_000
/** In one message. */
const mostEntries = 256
const method = grpcMethod(HeldRecordsService.method.tellHeldRecords)

/** Ends with the returned function, or where nobody knows of it: any xDS server will do. */
export function answerHeldRecords(client: Client, { node, held, work, clock }: HeldRecordsStreamOptions): () => void {
  let call: ClientDuplexStream<Message, AskedRequests> | undefined
  let timer: Timer | undefined
  let stopped = false
  const open = (): void => {
    try {
      call = client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize)
    } catch {
      // the channel was closed meanwhile
      return
    }
    const opened = call
    call.on('data', ({ ids }: AskedRequests) => {
      work.flush()
      const entries = held.take(ids).slice(-mostEntries).map(encodePackedRecord)
      if (entries.length > 0) opened.write(create(HeldRecordsSchema, { entries }))
    })
    call.on('error', () => {
      // its status follows
    })
    call.on('status', ({ code }: StatusObject) => {
      if (call === opened) call = undefined
      if (code !== status.UNIMPLEMENTED) return
      stopped = true
      held.close()
    })
    call.write(create(HeldRecordsSchema, { node }))
  }
  const tick = (): void => {
    held.expire()
    if (call === undefined && !stopped) open()
    if (!stopped) timer = clock.setTimer(intervalMs, tick)
  }
  tick()
  return () => {
    stopped = true
    timer?.cancel()
    call?.cancel()
  }
}
