// Tells the control plane what is asked of the limits that this proxy enforces together with others, and takes the shares that it deals out.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { Client, ClientDuplexStream, StatusObject } from '@grpc/grpc-js'

import { DemandReportSchema, QuotaAssignmentSchema, QuotaService } from '../../contracts/xds/gen/heddle/v1/quota_pb.ts'
import type { DemandReport, QuotaAssignment } from '../../contracts/xds/gen/heddle/v1/quota_pb.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import type { LimitBuckets } from '../../policies/rate-limit/limit-buckets.runtime.ts'

export interface QuotaWatchOptions {
  /** "sidecar~default~web". */
  readonly node: string
  readonly limits: LimitBuckets
  readonly clock: Clock
}

const path = `/${QuotaService.typeName}/${QuotaService.method.reportDemand.name}`
const reportIntervalMs = 1_000

/** On a channel that somebody else opened and closes. Ends with the returned function, or where nobody knows of it: any xDS server will do. */
export function watchQuota(client: Client, { node, limits, clock }: QuotaWatchOptions): () => void {
  let call: ClientDuplexStream<DemandReport, QuotaAssignment> | undefined
  let timer: Timer | undefined
  let unknown = false
  const open = (): void => {
    try {
      call = client.makeBidiStreamRequest(path, encodeReport, decodeAssignment)
    } catch {
      // the channel was closed meanwhile
      return
    }
    const opened = call
    call.on('data', ({ shares }: QuotaAssignment) => {
      for (const { limit, share, fallbackShare } of shares)
        limits.assign(limit, share, fallbackShare, clock.monotonicMs())
    })
    call.on('error', () => {
      // its status follows
    })
    call.on('status', ({ code }: StatusObject) => {
      if (call === opened) call = undefined
      unknown = code === status.UNIMPLEMENTED
    })
  }
  const tick = (): void => {
    timer = undefined
    if (limits.shared.value.length === 0) {
      call?.cancel()
      return
    }
    const nowMs = clock.monotonicMs()
    limits.expire(nowMs)
    if (call === undefined && !unknown) open()
    call?.write(create(DemandReportSchema, { node, demands: limits.takeDemands(nowMs) }))
    timer = clock.setTimer(reportIntervalMs, tick)
  }
  const unsubscribe = limits.shared.subscribe(() => {
    timer?.cancel()
    tick()
  })
  tick()
  return () => {
    unsubscribe()
    timer?.cancel()
    call?.cancel()
  }
}

function encodeReport(message: DemandReport): Buffer {
  return Buffer.from(toBinary(DemandReportSchema, message))
}

function decodeAssignment(bytes: Buffer): QuotaAssignment {
  return fromBinary(QuotaAssignmentSchema, bytes)
}
